"""What counts as the same answer to one of TPC-H's queries."""

import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tpch_compare import EQUAL, compare


def test_types_do_not_matter_where_values_are_equal():
    expected = [["AIR", Decimal(12), Decimal(7)], ["SHIP", Decimal(3), Decimal(4)]]
    assert compare(12, expected, [["AIR", 12, 7], ["SHIP", 3, 4]]) == EQUAL
    assert compare(4, [[date(1995, 3, 5), 1]], [[datetime(1995, 3, 5), 1]]) == EQUAL


def test_floats_are_equal_to_nine_digits():
    assert compare(17, [[348406.05428571]], [[348406.05428572]]) == EQUAL
    assert compare(17, [[348406.05428571]], [[348406.0553]]) != EQUAL


def test_decimals_are_equal_only_to_their_last_digit():
    assert compare(6, [[Decimal("123141078.2283")]], [[Decimal("123141078.2283")]]) == EQUAL
    assert "instead of" in compare(6, [[Decimal("123141078.2283")]], [[Decimal("123141078.23")]])


@pytest.mark.parametrize("quotient", ["0.034435", "0.034436"])
def test_a_quotient_that_stayed_a_decimal_is_the_float_with_fewer_digits(quotient):
    assert compare(8, [[1995, 0.0344358904066548]], [[1995, Decimal(quotient)]]) == "6 digits"
    assert "instead of" in compare(8, [[1995, 0.0344358904066548]], [[1995, Decimal("0.034434")]])


def test_rows_come_in_the_order_of_the_query():
    assert compare(4, [["1-URGENT", 2], ["2-HIGH", 1]], [["2-HIGH", 1], ["1-URGENT", 2]]) != EQUAL


def test_rows_that_the_order_leaves_tied_may_come_in_any():
    # The eleventh query orders by its second column.
    tied = [[key, Decimal(7)] for key in (1, 2, 3)]
    assert compare(11, tied, [tied[2], tied[0], tied[1]]) == EQUAL
    assert compare(11, tied, [tied[2], tied[0], tied[0]]) != EQUAL


def test_missing_rows_columns_and_values_are_differences():
    assert compare(6, [[1]], []) == "0 rows instead of 1"
    assert compare(4, [["a", 1]], [["a"]]) == "1 columns instead of 2"
    assert compare(17, [[None]], [[0.0]]) != EQUAL
    assert compare(17, [[None]], [[None]]) == EQUAL
