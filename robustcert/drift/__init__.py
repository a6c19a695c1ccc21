"""Has production moved away from what a certificate was made on?

In batch: statistics on counts that take memory constant in rows (`histogram`), each with the law that its score follows
when nothing drifted (`thresholds`): `anderson_darling`, `ks`, `psi`, `js` and `chi_square` for columns, `mmd` and
`domain_classifier` for rows as a whole. `columns` decides many columns at once, at one error rate for all of them
(`multiplicity`) and with an effect that is worth an alarm (`effect_size`).

Nothing here is imported with the package: reading a drift record needs no more than `record`.
"""
