"""PSI, JS and their limits as Prometheus computes them, against NumPy and SciPy, on counts drawn at random.

Each case is an hour of counters in a promtool test; promtool compares floats exactly, so an expression holds the
difference against a bound. Shapes: B bins.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy
import yaml

from tests.monitoring.metric_table import RULES

pytestmark = pytest.mark.prometheus

ONE = [{"labels": '{model="m", version="0123456789ab"}', "value": 1}]
CASES = {
    "as the reference": ([0.1] * 10, [20] * 10),
    "a shift": ([0.1] * 10, [5, 8, 10, 14, 18, 20, 25, 28, 34, 40]),
    "empty bins": ([0.1] * 10, [0, 0, 0, 1, 2, 3, 4, 5, 60, 125]),
    "everything in one bin": ([0.25] * 4, [0, 0, 0, 50]),
    "an unequal reference": ([0.7, 0.2, 0.1], [20, 20, 20]),
    "a class that the reference never had": ([0.5, 0.5, 0.0], [30, 20, 10]),
    "thousands of rows": ([0.05] * 20, [1000 + 10 * number for number in range(20)]),
    "two bins": ([0.9, 0.1], [90, 12]),
}


def expected(reference: list[float], a_minute: list[int], *, minutes: int, rows: int = 100) -> tuple[float, float]:
    """PSI in nats and Jensen-Shannon divergence in bits, with half a row more in each bin on both sides."""
    rows_B = np.array(reference) * rows + 0.5
    q_B = rows_B / rows_B.sum()
    counts_B = np.array(a_minute) * minutes + 0.5
    p_B = counts_B / counts_B.sum()
    middle_B = (p_B + q_B) / 2
    js = (kl(p_B, middle_B) + kl(q_B, middle_B)) / 2
    return float(((p_B - q_B) * np.log(p_B / q_B)).sum()), js


def kl(q_B: np.ndarray, p_B: np.ndarray) -> float:
    """Kullback-Leibler divergence in bits."""
    return float(scipy.special.rel_entr(q_B, p_B).sum() / np.log(2))


def counters(metric: str, label: str, counts: list[int], *, minutes: int = 180) -> list[dict[str, str]]:
    return [
        {
            "series": f'robustcert_{metric}{{model="m", version="0123456789ab", {label}="{number}", pod="{pod}"}}',
            "values": f"0+{share}x{minutes}",
        }
        for number, count in enumerate(counts)
        for pod, share in (("a", count // 3), ("b", count - count // 3))
    ]


def gauges(metric: str, label: str, shares: list[float], *, minutes: int = 180) -> list[dict[str, str]]:
    return [
        {
            "series": f'robustcert_{metric}{{model="m", version="0123456789ab", {label}="{number}", pod="{pod}"}}',
            "values": f"{share}x{minutes}",
        }
        for number, share in enumerate(shares)
        for pod in ("a", "b")
    ]


def close(expression: str, value: float, *, within: float = 1e-9) -> dict:
    return {"expr": f"abs({expression} - {value!r}) < bool {within}", "eval_time": "3h", "exp_samples": ONE}


def absent(expression: str) -> dict:
    return {"expr": expression, "eval_time": "3h", "exp_samples": []}


def holds(folder: Path, series: list[dict], checks: list[dict]) -> subprocess.CompletedProcess[str]:
    test = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    document = {"rule_files": [str(RULES / "drift.rules.yaml")], "evaluation_interval": "1h", "tests": [test]}
    (folder / "x.test.yaml").write_text(yaml.safe_dump(document))
    command = ["promtool", "test", "rules", str(folder / "x.test.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("counter", "reference_metric", "label", "record"),
    [
        ("prediction_margin_bin_total", "reference_margin_bin_ratio", "bin", "prediction_margin"),
        ("prediction_distance_bin_total", "reference_distance_bin_ratio", "bin", "prediction_distance"),
        ("predicted_class_total", "reference_class_ratio", "class", "predicted_class"),
    ],
)
@pytest.mark.parametrize("case", CASES)
def test_psi_and_js_of_an_hour_are_those_of_numpy(
    case: str, counter: str, reference_metric: str, label: str, record: str, tmp_path: Path
) -> None:
    reference, counts = CASES[case]
    psi, js = expected(reference, counts, minutes=60)
    checks = [close(f"robustcert:{record}:psi", psi), close(f"robustcert:{record}:js", js)]
    done = holds(tmp_path, counters(counter, label, counts) + gauges(reference_metric, label, reference), checks)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_value_is_noticed(tmp_path: Path) -> None:
    reference, counts = CASES["a shift"]
    psi, _ = expected(reference, counts, minutes=60)
    series = counters("prediction_margin_bin_total", "bin", counts) + gauges(
        "reference_margin_bin_ratio", "bin", reference
    )
    assert holds(tmp_path, series, [close("robustcert:prediction_margin:psi", psi + 1e-6)]).returncode == 1


def test_random_counts_agree_with_numpy(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    series, checks = [], []
    for number in range(25):
        bins = int(random.integers(2, 11))
        reference = random.dirichlet(np.ones(bins)).tolist()
        counts = random.integers(0, 200, bins).tolist()
        psi, js = expected(reference, counts, minutes=60)
        one = counters("prediction_margin_bin_total", "bin", counts) + gauges(
            "reference_margin_bin_ratio", "bin", reference
        )
        series += [{**item, "series": item["series"].replace('model="m"', f'model="m{number}"')} for item in one]
        exp = [{**ONE[0], "labels": ONE[0]["labels"].replace('"m"', f'"m{number}"')}]
        of = f'{{model="m{number}"}}'
        checks += [
            {**close(f"robustcert:prediction_margin:{name}{of}", value), "exp_samples": exp}
            for name, value in (("psi", psi), ("js", js))
        ]
    done = holds(tmp_path, series, checks)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("bins", [2, 3, 5, 10, 20, 50])
def test_the_chi_square_quantile_is_never_below_scipys_and_close_to_it(bins: int, tmp_path: Path) -> None:
    """Wilson and Hilferty's approximation: 3 % above at one degree of freedom, less than 1 % from nine on."""
    exact = float(scipy.stats.chi2.ppf(0.999, bins - 1))
    ratio = f'robustcert:signal:chi_square_quantile{{signal="margin"}} / {exact!r}'
    one = [{"labels": '{model="m", version="0123456789ab", signal="margin"}', "value": 1}]
    upper = 1.035 if bins < 10 else 1.01
    checks = [
        {"expr": f"{ratio} >= bool 1", "eval_time": "3h", "exp_samples": one},
        {"expr": f"{ratio} < bool {upper}", "eval_time": "3h", "exp_samples": one},
    ]
    series = counters("prediction_margin_bin_total", "bin", [1] * bins)
    done = holds(tmp_path, series + gauges("reference_margin_bin_ratio", "bin", [1 / bins] * bins), checks)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("a_minute", "rows", "m"),
    [([1] * 10, 1000, 1000), ([1] * 10, None, 100), ([4] * 10, 114, 114), ([100] * 10, 100_000, 100_000)],
)
def test_the_limit_is_that_of_both_sample_sizes_and_at_least_a_fifth(
    a_minute: list[int], rows: int | None, m: int, tmp_path: Path
) -> None:
    n = 60 * sum(a_minute)
    limit = float((1 / n + 1 / m) * scipy.stats.chi2.ppf(0.999, 9))
    series = counters("prediction_margin_bin_total", "bin", a_minute)
    series += gauges("reference_margin_bin_ratio", "bin", [0.1] * 10)
    if rows is not None:
        series += gauges("reference_rows", "job", [rows])
    name = "sum without (signal) (robustcert:signal:psi_threshold1h)"
    done = holds(tmp_path, series, [close(name, max(limit, 0.2), within=0.01 * max(limit, 0.2))])
    assert done.returncode == 0, done.stdout + done.stderr


def test_below_200_predictions_there_is_an_index_and_no_limit(tmp_path: Path) -> None:
    series = counters("prediction_margin_bin_total", "bin", [0, 3]) + gauges(
        "reference_margin_bin_ratio", "bin", [0.5, 0.5]
    )
    psi, _ = expected([0.5, 0.5], [0, 3], minutes=60)
    checks = [close("robustcert:prediction_margin:psi", psi), absent("robustcert:signal:psi_threshold1h")]
    done = holds(tmp_path, series, checks)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_single_prediction_there_is_no_index(tmp_path: Path) -> None:
    series = counters("prediction_margin_bin_total", "bin", [0, 0]) + gauges(
        "reference_margin_bin_ratio", "bin", [0.5, 0.5]
    )
    done = holds(
        tmp_path, series, [absent("robustcert:prediction_margin:psi"), absent("robustcert:prediction_margin:js")]
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("n", "m"), [(200, 100), (1000, 360), (10_000, 10_000)])
def test_clean_hours_pass_the_limit_at_most_as_often_as_it_says(n: int, m: int) -> None:
    """On 20,000 clean windows, at most alpha = 0.001, by 3 standard errors; the half rows make small ones hold."""
    random, bins, windows = np.random.default_rng(11), 10, 20_000
    true_B = np.full(bins, 1 / bins)
    rows_WB, counts_WB = (random.multinomial(size, true_B, windows) + 0.5 for size in (m, n))
    q_WB, p_WB = (found_WB / found_WB.sum(axis=1, keepdims=True) for found_WB in (rows_WB, counts_WB))
    psi_W = ((p_WB - q_WB) * np.log(p_WB / q_WB)).sum(axis=1)
    alarms = int((psi_W > np.maximum((1 / n + 1 / m) * scipy.stats.chi2.ppf(0.999, bins - 1), 0.2)).sum())
    assert alarms <= windows * 0.001 + 3 * np.sqrt(windows * 0.001)
