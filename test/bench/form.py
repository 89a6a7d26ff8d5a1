# SPDX-License-Identifier: Apache-2.0
"""How the figures are printed: cells, tables, and targets met or missed."""

ROUNDS = ("Medians of {rounds} rounds, in brackets the least and the most. Each turn of a server stands between two of the one "
          "that it is compared with; the ratio is to the mean of these.")
COUNTED = ("Instructions: callgrind, 1,200 requests less 200, on one connection; views of the first tier live 60 s there, "
           "because valgrind is some fifty times slower.")


def spread(value, bounds, form):
    return f"{form.format(value)} ({form.format(bounds[0])} – {form.format(bounds[1])})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def rate(row):
    return spread(row["rate"], row["rate_spread"], "{:,.0f}")


def ratio(row):
    return spread(row["ratio"], row["ratio_spread"], "{:.3f}")


def cell(row, name, form):
    return spread(row[name], row[name + "_spread"], form)


def least(what, value, bound):
    return value >= bound, f"{what}: {value:.3f}, at least {bound}"


def most(what, value, bound):
    return value <= bound, f"{what}: {value:,}, at most {bound:,}"


def exactly(what, value, wanted):
    return value == wanted, f"{what}: {value:g}, exactly {wanted}"
