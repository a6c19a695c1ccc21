"""The one image that all components run in; its tag is the library's version."""

from robustcert import __version__

IMAGE = f"ghcr.io/robustcert/robustcert:{__version__}"
