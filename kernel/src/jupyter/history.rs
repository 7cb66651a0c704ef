use std::collections::{HashSet, VecDeque};

use glob::Pattern;
use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest};

/// Cells kept; the oldest go first.
const LIMIT: usize = 10_000;
/// This session's number in the replies. Earlier sessions are not kept.
const SESSION: usize = 1;

struct Line {
    number: usize,
    input: String,
    output: String,
}

/// What was run in this session.
#[derive(Default)]
pub struct History {
    lines: VecDeque<Line>,
}

impl History {
    /// Adds a cell and the text of its result.
    pub fn add(&mut self, number: usize, input: &str, output: &str) {
        if self.lines.len() == LIMIT {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { number, input: input.to_owned(), output: output.to_owned() });
    }

    /// Answers a request.
    pub fn reply(&self, request: &HistoryRequest) -> HistoryReply {
        let (lines, output) = match request {
            HistoryRequest::Range { session, start, stop, output, .. } => {
                (self.range(*session, *start, *stop), *output)
            }
            HistoryRequest::Tail { n, output, .. } => (self.last(self.lines.iter().collect(), *n), *output),
            HistoryRequest::Search { pattern, unique, output, n, .. } => {
                (self.last(self.search(pattern, *unique), *n), *output)
            }
        };
        HistoryReply::new(lines.into_iter().map(|line| line.entry(output)).collect())
    }

    /// Session 0 is the running one, negative ones count back from it.
    fn range(&self, session: Option<i32>, start: i32, stop: i32) -> Vec<&Line> {
        if !matches!(session, None | Some(0)) && session != i32::try_from(SESSION).ok() {
            return Vec::new();
        }
        let within =
            |line: &&Line| i32::try_from(line.number).is_ok_and(|number| (start..stop).contains(&number));
        self.lines.iter().filter(within).collect()
    }

    fn search(&self, pattern: &str, unique: bool) -> Vec<&Line> {
        let Ok(pattern) = Pattern::new(pattern) else { return Vec::new() };
        let mut seen = HashSet::new();
        let mut lines: Vec<&Line> = self
            .lines
            .iter()
            .rev()
            .filter(|line| pattern.matches(&line.input) && (!unique || seen.insert(&line.input)))
            .collect();
        lines.reverse();
        lines
    }

    fn last<'a>(&self, mut lines: Vec<&'a Line>, n: i32) -> Vec<&'a Line> {
        let n = usize::try_from(n).unwrap_or(0);
        lines.split_off(lines.len().saturating_sub(n))
    }
}

impl Line {
    fn entry(&self, output: bool) -> HistoryEntry {
        if output {
            HistoryEntry::InputOutput(SESSION, self.number, (self.input.clone(), self.output.clone()))
        } else {
            HistoryEntry::Input(SESSION, self.number, self.input.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        for (number, input) in [(1, "1 + 1"), (2, "let x = 1;"), (3, "1 + 1")] {
            history.add(number, input, "2");
        }
        history
    }

    fn numbers(request: &HistoryRequest) -> Vec<usize> {
        let number = |entry| match entry {
            HistoryEntry::Input(_, number, _) | HistoryEntry::InputOutput(_, number, _) => number,
        };
        history().reply(request).history.into_iter().map(number).collect()
    }

    fn search(pattern: &str, unique: bool, n: i32) -> HistoryRequest {
        HistoryRequest::Search { pattern: pattern.into(), unique, output: false, raw: true, n }
    }

    #[test]
    fn the_tail_is_in_the_order_of_execution() {
        assert_eq!(numbers(&HistoryRequest::Tail { n: 2, output: true, raw: true }), [2, 3]);
        assert!(numbers(&HistoryRequest::Tail { n: -1, output: true, raw: true }).is_empty());
    }

    #[test]
    fn a_range_ends_before_its_stop_and_other_sessions_are_empty() {
        let range = |session, start, stop| HistoryRequest::Range {
            session: Some(session),
            start,
            stop,
            output: false,
            raw: true,
        };
        assert_eq!(numbers(&range(0, 1, 3)), [1, 2]);
        assert_eq!(numbers(&range(1, 2, 9)), [2, 3]);
        assert!(numbers(&range(-1, 1, 3)).is_empty());
    }

    #[test]
    fn a_unique_search_keeps_the_latest_of_equal_cells() {
        assert_eq!(numbers(&search("1 *", false, 10)), [1, 3]);
        assert_eq!(numbers(&search("1 *", true, 10)), [3]);
        assert_eq!(numbers(&search("*", false, 1)), [3]);
    }

    #[test]
    fn a_broken_pattern_finds_nothing() {
        assert!(numbers(&search("[", false, 10)).is_empty());
    }

    #[test]
    fn the_oldest_cells_are_forgotten_first() {
        let mut history = History::default();
        for number in 0..=LIMIT {
            history.add(number, "", "");
        }
        assert_eq!(history.lines.len(), LIMIT);
        assert_eq!(history.lines[0].number, 1);
    }
}
