"""Compares answers to TPC-H's queries with those of a reference, cell by cell.

Arguments: the reference's directory of answers, and others'. Prints one JSON object: for each of the others, a
verdict on each query that it and the reference answered.

- Integers, decimals, texts and dates are equal if their values are; floats to 1e-9 of the larger one.
- Where one engine divides decimals into a float and another one into a decimal, the decimal is to be the float, rounded
  or cut off after its last digit; the verdict says how many digits it has.
- Rows are to be in the query's order. Rows that its ORDER BY does not tell apart may be in any.
- Names of columns are not compared: the SQL leaves some to the engine.
"""

import json
import math
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

TOLERANCE = 1e-9
# The columns of each answer that its ORDER BY names, from 0.
ORDER = {
    1: (0, 1), 2: (0, 2, 1, 3), 3: (1, 2), 4: (0,), 5: (1,), 6: (), 7: (0, 1, 2), 8: (0,), 9: (0, 1), 10: (2,), 11: (1,),
    12: (0,), 13: (1, 0), 14: (), 15: (0,), 16: (3, 0, 1, 2), 17: (), 18: (4, 3), 19: (), 20: (0,), 21: (1, 0), 22: (0,),
}  # fmt: skip
EQUAL = "equal"


def digits(value):
    """The number of a decimal's digits after the point."""
    return -value.as_tuple().exponent


def cell(expected, actual):
    """Whether two values are equal: True, False, or the number of digits to which they are."""
    if isinstance(expected, datetime):
        expected = expected.date()
    if isinstance(actual, datetime):
        actual = actual.date()
    if expected is None or actual is None or not isinstance(expected, (int, float, Decimal)):
        return type(expected) is type(actual) and expected == actual
    if not isinstance(actual, (int, float, Decimal)):
        return False
    if not isinstance(expected, float) and not isinstance(actual, float):
        return expected == actual
    if math.isclose(expected, actual, rel_tol=TOLERANCE):
        return True
    for exact, rounded in ((expected, actual), (actual, expected)):
        if isinstance(exact, float) and isinstance(rounded, Decimal) and math.isfinite(exact):
            if abs(float(rounded) - exact) < 10 ** -digits(rounded):
                return digits(rounded)
    return False


def sortable(rows):
    """Rows in an order that depends on their values only. Floats, which may differ a little, decide last."""
    floats = {column for row in rows for column, value in enumerate(row) if isinstance(value, float)}

    def key(row):
        order = sorted(range(len(row)), key=lambda column: (column in floats, column))
        return [(row[column] is not None, "" if row[column] is None else row[column]) for column in order]

    return sorted(rows, key=key)


def compare(number, expected, actual):
    """The verdict on one answer, as lists of rows: `equal`, how many digits are, or the first difference."""
    if len(expected) != len(actual):
        return f"{len(actual)} rows instead of {len(expected)}"
    if expected and len(expected[0]) != len(actual[0]):
        return f"{len(actual[0])} columns instead of {len(expected[0])}"
    for at, (wanted, found) in enumerate(zip(expected, actual)):
        for column in ORDER[number]:
            if cell(wanted[column], found[column]) is False:
                return f"row {at}, column {column}: {found[column]} instead of {wanted[column]}"
    fewest = None
    for wanted, found in zip(sortable(expected), sortable(actual)):
        for column in range(len(wanted)):
            same = cell(wanted[column], found[column])
            if same is False:
                return f"column {column}: {found[column]} instead of {wanted[column]}"
            if same is not True:
                fewest = same if fewest is None else min(fewest, same)
    return EQUAL if fewest is None else f"{fewest} digits"


def rows(path):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return [list(row) for row in zip(*(column.to_pylist() for column in table.columns))]


def main():
    reference, *others = map(Path, sys.argv[1:])
    verdicts = {}
    for other in others:
        verdicts[str(other)] = {
            number: compare(number, rows(reference / name), rows(other / name))
            for number in ORDER
            if (reference / (name := f"q{number:02}.parquet")).exists() and (other / name).exists()
        }
    print(json.dumps(verdicts))


if __name__ == "__main__":
    main()
