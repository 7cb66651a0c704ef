//! The history of this session and, from a file shared by all of a person's kernels, of earlier ones.
//! This module answers requests; [`store`] keeps the file. If the file cannot be kept, only this
//! session's history is available, and the log says why.

mod store;

use std::collections::{HashSet, VecDeque};

use glob::Pattern;
use jupyter_protocol::{HistoryEntry, HistoryReply, HistoryRequest};

use store::{Line, Store};

/// How many cells of this session are kept; the oldest are dropped first.
const LIMIT: usize = 10_000;
/// Longer cells are kept in this session only, and longer results are cut.
const MAX_INPUT_BYTES: usize = 256 << 10;
const MAX_OUTPUT_BYTES: usize = 4 << 10;
/// The maximum number of cells that wait until the file is free.
const MAX_UNSAVED: usize = 64;

/// The cells of this session, and access to those of others.
#[derive(Default)]
pub struct History {
    lines: VecDeque<Line>,
    store: Option<Store>,
    /// This session's number, once the file has assigned one.
    session: Option<usize>,
    /// Cells that are not written yet because the file was in use.
    unsaved: Vec<Line>,
}

impl History {
    /// The history that this person's kernels share.
    pub fn of_this_person() -> Self {
        Self { store: Store::of_this_person(), ..Self::default() }
    }

    /// Adds a cell and the text of its result.
    pub fn add(&mut self, number: usize, input: &str, output: &str) {
        if self.lines.len() == LIMIT {
            self.lines.pop_front();
        }
        let output = output[..output.floor_char_boundary(MAX_OUTPUT_BYTES)].to_owned();
        let line = Line { session: 0, number, input: input.to_owned(), output };
        if self.store.is_some() && input.len() <= MAX_INPUT_BYTES && self.unsaved.len() < MAX_UNSAVED {
            self.unsaved.push(line.clone());
        }
        self.lines.push_back(line);
        self.save();
    }

    fn save(&mut self) {
        let Some(store) = &self.store else { return };
        let session = match self.session {
            Some(session) => Ok(session),
            None => store.begin(),
        };
        let saved = session.and_then(|session| {
            self.session = Some(session);
            self.unsaved.iter_mut().for_each(|line| line.session = session);
            store.append(&self.unsaved)
        });
        match saved {
            Ok(()) => self.unsaved.clear(),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                tracing::info!("the history will be saved with a later cell: {error}");
            }
            Err(error) => {
                tracing::warn!("cells are not kept after this session: {}: {error}", store.path().display());
                self.store = None;
            }
        }
    }

    /// Answers a request.
    pub fn reply(&self, request: &HistoryRequest) -> HistoryReply {
        let (session, lines) = self.all();
        let (lines, output) = match request {
            HistoryRequest::Range { session: wanted, start, stop, output, .. } => {
                // 0 and below count back from the running session.
                let wanted = i64::from(wanted.unwrap_or(0));
                let wanted = if wanted > 0 { wanted } else { session as i64 + wanted };
                let within = |line: &Line| {
                    i64::try_from(line.session) == Ok(wanted)
                        && i32::try_from(line.number).is_ok_and(|number| (*start..*stop).contains(&number))
                };
                (lines.into_iter().filter(within).collect(), *output)
            }
            HistoryRequest::Tail { n, output, .. } => (last(lines, *n), *output),
            HistoryRequest::Search { pattern, unique, output, n, .. } => {
                (last(search(lines, pattern, *unique), *n), *output)
            }
        };
        HistoryReply::new(lines.into_iter().map(|line| entry(line, output)).collect())
    }

    /// This session's number and all cells. Those of this session come last, whatever ran at the same
    /// time.
    fn all(&self) -> (usize, Vec<Line>) {
        let mut lines = Vec::new();
        if let Some(store) = &self.store {
            match store.read() {
                Ok(read) => lines = read,
                Err(error) => {
                    tracing::warn!("cannot read the history {}: {error}", store.path().display())
                }
            }
        }
        let next = || lines.iter().map(|line| line.session).max().unwrap_or(0) + 1;
        let session = self.session.unwrap_or_else(next);
        lines.retain(|line| line.session != session);
        lines.extend(self.lines.iter().map(|line| Line { session, ..line.clone() }));
        (session, lines)
    }
}

/// The lines that match a pattern with `*`, `?` and `[…]`. With `unique`, only the latest of equal lines.
fn search(mut lines: Vec<Line>, pattern: &str, unique: bool) -> Vec<Line> {
    // Many stars mean the same as one, except in paths.
    let mut one_star = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if c != '*' || !one_star.ends_with('*') {
            one_star.push(c);
        }
    }
    let Ok(pattern) = Pattern::new(&one_star) else { return Vec::new() };
    let mut seen = HashSet::new();
    lines.reverse();
    lines.retain(|line| pattern.matches(&line.input) && (!unique || seen.insert(line.input.clone())));
    lines.reverse();
    lines
}

fn last(mut lines: Vec<Line>, n: i32) -> Vec<Line> {
    let n = usize::try_from(n).unwrap_or(0);
    lines.split_off(lines.len().saturating_sub(n))
}

fn entry(line: Line, output: bool) -> HistoryEntry {
    let Line { session, number, input, output: shown } = line;
    if output {
        HistoryEntry::InputOutput(session, number, (input, shown))
    } else {
        HistoryEntry::Input(session, number, input)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn filled(store: Option<Store>) -> History {
        let mut history = History { store, ..History::default() };
        for (number, input) in [(1, "1 + 1"), (2, "let x = 1;"), (3, "1 + 1")] {
            history.add(number, input, "2");
        }
        history
    }

    fn found(history: &History, request: &HistoryRequest) -> Vec<(usize, usize)> {
        let place = |entry| match entry {
            HistoryEntry::Input(session, number, _) | HistoryEntry::InputOutput(session, number, _) => {
                (session, number)
            }
        };
        history.reply(request).history.into_iter().map(place).collect()
    }

    fn numbers(request: &HistoryRequest) -> Vec<usize> {
        found(&filled(None), request).into_iter().map(|(_, number)| number).collect()
    }

    fn search(pattern: &str, unique: bool, n: i32) -> HistoryRequest {
        HistoryRequest::Search { pattern: pattern.into(), unique, output: false, raw: true, n }
    }

    fn tail(n: i32) -> HistoryRequest {
        HistoryRequest::Tail { n, output: true, raw: true }
    }

    fn range(session: i32, start: i32, stop: i32) -> HistoryRequest {
        HistoryRequest::Range { session: Some(session), start, stop, output: false, raw: true }
    }

    fn store(directory: &Path) -> Option<Store> {
        Some(Store::at(directory.join("history.jsonl")))
    }

    #[test]
    fn the_tail_is_in_the_order_of_execution() {
        assert_eq!(numbers(&tail(2)), [2, 3]);
        assert!(numbers(&tail(-1)).is_empty());
    }

    #[test]
    fn a_range_ends_before_its_stop_and_sessions_that_never_were_are_empty() {
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
    fn stars_question_marks_and_sets_match_and_a_broken_pattern_finds_nothing() {
        assert_eq!(numbers(&search("**x***", false, 10)), [2]);
        assert_eq!(numbers(&search("? + [0-9]", false, 10)), [1, 3]);
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

    #[test]
    fn the_next_kernel_finds_what_the_one_before_it_ran() {
        let directory = tempfile::tempdir().unwrap();
        filled(store(directory.path()));
        let fresh = History { store: store(directory.path()), ..History::default() };
        assert_eq!(found(&fresh, &tail(2)), [(1, 2), (1, 3)]);
        assert_eq!(found(&fresh, &range(-1, 1, 2)), [(1, 1)]);
        let second = filled(store(directory.path()));
        assert_eq!(found(&second, &tail(4)), [(1, 3), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(found(&second, &range(0, 1, 2)), [(2, 1)]);
        assert_eq!(found(&second, &range(1, 1, 2)), [(1, 1)]);
        assert_eq!(found(&second, &search("1 + 1", true, 9)), [(2, 3)]);
    }

    #[test]
    fn ones_own_cells_come_last_whatever_ran_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut first = filled(store(directory.path()));
        filled(store(directory.path()));
        first.add(4, "later", "");
        assert_eq!(found(&first, &tail(2)), [(1, 3), (1, 4)]);
        assert_eq!(found(&first, &tail(9)).len(), 7);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_history_of_this_session() {
        let history = filled(Some(Store::at("/dev/null/history.jsonl".into())));
        assert_eq!(found(&history, &tail(9)).len(), 3);
    }

    #[test]
    fn a_long_result_is_cut_and_a_very_long_cell_is_not_written_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut history = History { store: store(directory.path()), ..History::default() };
        history.add(1, &"x".repeat(MAX_INPUT_BYTES + 1), "");
        history.add(2, "short", &"é".repeat(MAX_OUTPUT_BYTES));
        assert_eq!(found(&history, &tail(9)).len(), 2);
        assert!(history.lines[1].output.len() <= MAX_OUTPUT_BYTES);
        let fresh = History { store: store(directory.path()), ..History::default() };
        assert_eq!(found(&fresh, &tail(9)), [(1, 2)]);
    }
}
