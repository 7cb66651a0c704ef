//! The queries as SQL, as the specification writes them. The eleventh has the fraction of scale 1 at every scale.

/// A query's statements.
pub struct Text {
    /// Creates the view that the fifteenth query reads.
    pub before: Option<&'static str>,
    /// The statement that returns the answer.
    pub query: &'static str,
    /// Drops the view.
    pub after: Option<&'static str>,
}

/// The text of the query with this number, counted from 1; `None` if there is no such query.
pub fn sql(number: usize) -> Option<Text> {
    let mut statements = TEXTS.get(number.checked_sub(1)?)?.split(';').map(str::trim);
    let first = statements.next()?;
    Some(match statements.next() {
        None => Text { before: None, query: first, after: None },
        Some(query) => Text { before: Some(first), query, after: statements.next() },
    })
}

const TEXTS: [&str; crate::COUNT] = [
    include_str!("../sql/q01.sql"),
    include_str!("../sql/q02.sql"),
    include_str!("../sql/q03.sql"),
    include_str!("../sql/q04.sql"),
    include_str!("../sql/q05.sql"),
    include_str!("../sql/q06.sql"),
    include_str!("../sql/q07.sql"),
    include_str!("../sql/q08.sql"),
    include_str!("../sql/q09.sql"),
    include_str!("../sql/q10.sql"),
    include_str!("../sql/q11.sql"),
    include_str!("../sql/q12.sql"),
    include_str!("../sql/q13.sql"),
    include_str!("../sql/q14.sql"),
    include_str!("../sql/q15.sql"),
    include_str!("../sql/q16.sql"),
    include_str!("../sql/q17.sql"),
    include_str!("../sql/q18.sql"),
    include_str!("../sql/q19.sql"),
    include_str!("../sql/q20.sql"),
    include_str!("../sql/q21.sql"),
    include_str!("../sql/q22.sql"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fifteenth_query_has_a_view_and_all_return_an_answer() {
        for number in 1..=crate::COUNT {
            let text = sql(number).unwrap();
            assert!(text.query.starts_with("select"), "{number}: {}", text.query);
            assert_eq!(text.before.is_some(), number == 15);
            assert_eq!(text.after.is_some(), number == 15);
        }
        assert!(sql(0).is_none() && sql(crate::COUNT + 1).is_none());
    }
}
