//! A name that may become an answer, with its rank among the others.

use std::collections::BTreeSet;

use crate::completion::{
    answers::Completion,
    index::{Member, Page},
    kind::Kind,
};

/// A result before it becomes an answer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The name and everything about it.
    pub member: Member,
    /// Its origin: the header of an `impl`, or a path.
    pub owner: String,
    /// Smaller is better.
    pub(super) rank: (u8, usize),
}

impl Candidate {
    /// Converts it to an answer.
    pub fn completion(self) -> Completion {
        let Member { name, kind, signature, docs } = self.member;
        let signature = signature.split_whitespace().collect::<Vec<_>>().join(" ");
        let signature = signature.strip_prefix("pub ").unwrap_or(&signature).to_owned();
        let summary = docs.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        let text = if kind == Kind::Macro { format!("{}!", name.trim_end_matches('!')) } else { name };
        Completion {
            text,
            kind,
            signature: (!signature.is_empty()).then_some(signature),
            summary: (!summary.is_empty() && !summary.starts_with("```")).then_some(summary),
        }
    }
}

pub(super) fn plain(name: &str, kind: Kind) -> Candidate {
    let member = Member { name: name.to_owned(), kind, signature: String::new(), docs: String::new() };
    Candidate { member, owner: String::new(), rank: (1, 0) }
}

pub(super) fn described(name: &str, kind: Kind, page: &Page, owner: &str) -> Candidate {
    let mut one = plain(name, kind);
    one.member.signature.clone_from(&page.declaration);
    one.member.docs.clone_from(&page.docs);
    owner.clone_into(&mut one.owner);
    one
}

/// Best first, each name once. What its author marked as internal comes last.
pub(super) fn sorted(mut found: Vec<Candidate>) -> Vec<Candidate> {
    found.sort_by(|one, other| {
        let key = |one: &Candidate| (one.member.name.starts_with('_'), one.rank);
        (key(one), &one.member.name).cmp(&(key(other), &other.member.name))
    });
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert((one.member.name.clone(), one.member.kind == Kind::Macro)));
    found
}
