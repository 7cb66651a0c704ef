//! Converts any published schema to the normalised one, as Polars expressions.

use polars::prelude::*;

use super::TaxiError;
use super::quality::dirty_rules;
use super::sources::{Era, Field, Kind};

/// The column that [`TlcSchema::mark`] adds: the name of the first rule that a row breaks, or null.
pub const DIRTY: &str = "dirty";

/// The values of a CSV line beyond its header; only in frames scanned by [`super::TripFile::scan`].
pub(super) const BEYOND_HEADER: &str = "beyond the header";
const RAGGED: &str = "ragged line";
const UNREADABLE: &str = "unreadable value";

/// The rules of [`TlcSchema::mark`] that need the row as it was in the file; they come before
/// [`dirty_rules`].
pub(super) const RAW_RULES: [&str; 2] = [RAGGED, UNREADABLE];

/// The time format of TLC's text files; the Parquet files of 2009 also keep times as text.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// A TLC schema as detected in one file: the meaning of its columns.
#[derive(Clone, Debug)]
pub struct TlcSchema {
    era: Era,
    columns: Vec<Source>,
    beyond_header: bool,
}

#[derive(Clone, Debug)]
struct Source {
    field: Field,
    /// The column in the file and its type; `None` if the schema has no such column.
    column: Option<(PlSmallStr, DataType)>,
    /// Whether it is the normalised schema, in which payments already have their names.
    clean: bool,
}

/// The normalised schema: see the table in the [module's documentation](super).
pub fn trip_schema() -> Schema {
    Field::ALL.iter().map(|f| polars::prelude::Field::new(f.name.into(), f.dtype())).collect()
}

/// Detects from the columns which of the TLC schemas a file has.
///
/// Column types do not matter: TLC's change from month to month, and a CSV may be read as text.
pub fn schema_of(schema: &Schema) -> Result<TlcSchema, TaxiError> {
    let mut missing = Vec::new();
    for era in Era::ALL {
        match era.columns(schema) {
            Ok(names) => {
                let columns = names.into_iter().zip(Field::ALL).map(|(name, field)| Source {
                    field,
                    column: name.and_then(|n| Some((n.as_str().into(), schema.get(&n)?.clone()))),
                    clean: era == Era::Normalised,
                });
                let beyond_header = schema.contains(BEYOND_HEADER);
                return Ok(TlcSchema { era, columns: columns.collect(), beyond_header });
            }
            Err(lacking) => missing.push((era, lacking)),
        }
    }
    let found =
        schema.iter_names().filter(|name| *name != BEYOND_HEADER).map(|name| name.to_string()).collect();
    Err(TaxiError::UnknownSchema { found, missing })
}

impl TlcSchema {
    /// Which of the published schemas it is.
    pub fn era(&self) -> Era {
        self.era
    }

    /// The normalised trips of a frame that has this schema, with every row.
    ///
    /// It consists of expressions only, so later projections and filters are pushed down to the scan. A value
    /// that cannot be read becomes null; [`mark`](Self::mark) distinguishes it from a missing one.
    pub fn normalise(&self, trips: LazyFrame) -> LazyFrame {
        trips.select(self.tidy()).select(self.values())
    }

    /// Like [`normalise`](Self::normalise), with the column [`DIRTY`]: the name of the first rule that the
    /// row breaks, or null if it is clean.
    ///
    /// The rules are `ragged line` (a CSV line with a value directly after the header's last column),
    /// `unreadable value` (text where a number or a time should be) and then those of [`dirty_rules`].
    pub fn mark(&self, trips: LazyFrame) -> LazyFrame {
        let mut rules = Vec::new();
        if self.beyond_header {
            rules.push((RAGGED, col(BEYOND_HEADER).is_not_null()));
        }
        let unreadable = self.columns.iter().filter_map(Source::unreadable);
        if let Some(any) = unreadable.reduce(Expr::or) {
            rules.push((UNREADABLE, any));
        }
        rules.extend(dirty_rules());
        let mut tidy = self.tidy();
        tidy.extend(self.beyond_header.then(|| col(BEYOND_HEADER)));
        let dirty = first_of(rules, lit(NULL).cast(DataType::String)).alias(DIRTY);
        let mut kept: Vec<Expr> = Field::ALL.iter().map(|f| col(f.name)).collect();
        kept.push(dirty);
        trips.select(tidy).with_columns(self.values()).select(kept)
    }

    /// The columns that are needed, with text trimmed. It is a separate step, so that each text is trimmed
    /// once however often it is used.
    fn tidy(&self) -> Vec<Expr> {
        self.columns.iter().filter_map(Source::tidy).collect()
    }

    fn values(&self) -> Vec<Expr> {
        self.columns.iter().map(|s| s.value().alias(s.field.name)).collect()
    }
}

/// The name of the first rule that holds; a rule that is null does not hold.
fn first_of(rules: Vec<(&'static str, Expr)>, otherwise: Expr) -> Expr {
    rules.into_iter().rev().fold(otherwise, |rest, (name, rule)| when(rule).then(lit(name)).otherwise(rest))
}

impl Field {
    pub(super) fn dtype(&self) -> DataType {
        match self.kind {
            Kind::Time => DataType::Datetime(TimeUnit::Microseconds, None),
            Kind::Integer => DataType::Int32,
            Kind::Number => DataType::Float64,
            Kind::Payment => DataType::String,
        }
    }
}

impl Source {
    /// The name of the tidied column, which differs from all of TLC's names and ours.
    fn tidied(&self) -> String {
        format!("source of {}", self.field.name)
    }

    fn tidy(&self) -> Option<Expr> {
        let (name, _) = self.column.as_ref()?;
        let mut column = col(name.clone());
        if self.is_text() {
            column = column.str().strip_chars(lit(NULL));
            if self.field.kind == Kind::Payment && !self.clean {
                column = column.str().to_lowercase();
            }
        }
        Some(column.alias(self.tidied()))
    }

    fn is_text(&self) -> bool {
        matches!(self.column, Some((_, DataType::String)))
    }

    /// The field's value, or null if it is missing or cannot be read.
    fn value(&self) -> Expr {
        let dtype = self.field.dtype();
        let Some((_, found)) = &self.column else { return lit(NULL).cast(dtype) };
        let tidied = col(self.tidied());
        match self.field.kind {
            _ if *found == dtype && (dtype != DataType::String || self.clean) => tidied,
            Kind::Time if self.is_text() => tidied.str().to_datetime(
                Some(TimeUnit::Microseconds),
                None,
                StrptimeOptions { format: Some(TIME_FORMAT.into()), strict: false, ..Default::default() },
                lit("raise"),
            ),
            // "1.0" is how a nullable count often appears in a CSV, so integers are first read as floats.
            Kind::Integer if self.is_text() => tidied.cast(DataType::Float64).cast(dtype),
            Kind::Time | Kind::Integer | Kind::Number => tidied.cast(dtype),
            Kind::Payment if self.is_text() => {
                payment(tidied, |payment| payment.spellings.iter().map(|s| lit(*s)).collect())
            }
            Kind::Payment => {
                let code = tidied.cast(DataType::Int32);
                payment(code, |payment| payment.code.iter().map(|c| lit(*c)).collect())
            }
        }
    }

    /// Whether there is text that is not a value; `None` if that is impossible. Payments have a name for it,
    /// `unknown`.
    fn unreadable(&self) -> Option<Expr> {
        let read = self.is_text() && self.field.kind != Kind::Payment;
        read.then(|| col(self.tidied()).neq(lit("")).and(col(self.field.name).is_null()))
    }
}

/// A payment type: its name here, TLC's code and the spellings in text columns.
struct Payment {
    name: &'static str,
    code: Option<i32>,
    spellings: &'static [&'static str],
}

/// The codes are from TLC's trip record data dictionary. The spellings are those of 2009 to 2014, where each
/// vendor had its own.
const PAYMENTS: [Payment; 6] = [
    Payment {
        name: "credit card",
        code: Some(1),
        spellings: &["credit card", "credit", "crd", "cre", "1", "1.0"],
    },
    Payment { name: "cash", code: Some(2), spellings: &["cash", "cas", "csh", "2", "2.0"] },
    Payment { name: "no charge", code: Some(3), spellings: &["no charge", "noc", "no", "3", "3.0"] },
    Payment { name: "dispute", code: Some(4), spellings: &["dispute", "dis", "4", "4.0"] },
    Payment { name: "voided", code: Some(6), spellings: &["voided", "voided trip", "void", "6", "6.0"] },
    Payment { name: "flex fare", code: Some(0), spellings: &["flex fare", "0", "0.0"] },
];
/// Also TLC's code 5.
pub(super) const UNKNOWN_PAYMENT: &str = "unknown";

/// The normalised name of a payment type, from the text or code `found`.
fn payment(found: Expr, alternatives: impl Fn(&Payment) -> Vec<Expr>) -> Expr {
    let rules = PAYMENTS.iter().filter_map(|payment| {
        let alternatives = alternatives(payment).into_iter().map(|a| found.clone().eq(a));
        Some((payment.name, alternatives.reduce(Expr::or)?))
    });
    first_of(rules.collect(), lit(UNKNOWN_PAYMENT))
}
