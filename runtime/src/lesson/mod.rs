//! Support for lessons: [`check!`](crate::check) checks a learner's answer and says what is wrong. The lesson
//! defines what is right; this module knows neither datasets nor jobs.

mod verdict;

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::cancel::Interrupted;
use crate::display::display;

use verdict::Verdict;

/// Checks the answer to an exercise and shows one line: not answered yet, wrong with the reason, or right.
/// The cell continues in any case.
///
/// The answer is an `Option`, `None` until the learner has one. It is followed by conditions on its value,
/// each with a message for the case that it does not hold. The message of the first failed condition is
/// shown. A condition may use `?`; an error or panic in it is shown instead. Conditions that compute the
/// expected result from the data show how to find it without giving it away.
///
/// ```
/// use partita::prelude::*;
/// let session = Session::embedded(2)?;
/// let quarters: Option<Dataset> = Some(session.range(0, 1000, 8).coalesce(4));
/// check!(quarters,
///     |data| data.count()? == 1000 => "rows are missing",
///     |data| data.partitions()? == 4 => format!("it has {} partitions", data.partitions()?),
/// );
/// # Ok::<(), PartitaError>(())
/// ```
#[macro_export]
macro_rules! check {
    ($answer:expr, $(|$value:ident| $holds:expr => $otherwise:expr),+ $(,)?) => {
        $crate::lesson::check(::core::stringify!($answer), &$answer, |answer| {
            $({
                let $value = answer;
                if !$holds {
                    return ::core::result::Result::Ok(::core::option::Option::Some(
                        ::std::string::ToString::to_string(&$otherwise),
                    ));
                }
            })+
            ::core::result::Result::Ok(::core::option::Option::None)
        })
    };
}

/// Implements [`check!`](crate::check): shows the verdict on an answer. `objection` returns what is wrong
/// with it.
pub fn check<T>(
    name: &str,
    answer: &Option<T>,
    objection: impl FnOnce(&T) -> Result<Option<String>, Box<dyn Error>>,
) {
    display(&judge(name, answer, objection));
}

fn judge<T>(
    name: &str,
    answer: &Option<T>,
    objection: impl FnOnce(&T) -> Result<Option<String>, Box<dyn Error>>,
) -> Verdict {
    let Some(answer) = answer else { return Verdict::not_yet(name) };
    match catch_unwind(AssertUnwindSafe(|| objection(answer))) {
        Ok(Ok(None)) => Verdict::right(name),
        Ok(Ok(Some(objection))) => Verdict::wrong(name, &objection),
        Ok(Err(error)) => Verdict::wrong(name, &format!("the check failed: {error}")),
        Err(panic) if panic.is::<Interrupted>() => resume_unwind(panic),
        Err(panic) => Verdict::wrong(name, &format!("the check panicked: {}", text(&*panic))),
    }
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(
        answer: Option<T>,
        objection: impl FnOnce(&T) -> Result<Option<String>, Box<dyn Error>>,
    ) -> String {
        judge("tasks", &answer, objection).line()
    }

    #[test]
    fn an_answer_is_missing_wrong_in_the_first_way_that_it_is_or_right() {
        let objection = |n: &usize| {
            Ok(if *n < 4 {
                Some("too few".to_owned())
            } else if *n > 4 {
                Some("too many".to_owned())
            } else {
                None
            })
        };
        assert_eq!(told(None, objection), "○ tasks: not answered yet; replace None by Some(your answer)");
        assert_eq!(told(Some(3), objection), "✗ tasks: too few");
        assert_eq!(told(Some(5), objection), "✗ tasks: too many");
        assert_eq!(told(Some(4), objection), "✓ tasks: right");
    }

    #[test]
    fn what_fails_while_the_answer_is_looked_at_is_told_and_goes_no_further() {
        let failed = told(Some("x"), |text| Ok(Some(text.parse::<u8>()?.to_string())));
        assert_eq!(failed, "✗ tasks: the check failed: invalid digit found in string");
        let panicked = told(Some(vec![1]), |list| Ok(Some(list[3].to_string())));
        assert!(panicked.starts_with("✗ tasks: the check panicked: index out of bounds"), "{panicked}");
    }

    #[test]
    fn an_interrupt_is_no_verdict() {
        let interrupted = || told(Some(1), |_| crate::cancel::unwind("stop".to_owned()));
        assert!(catch_unwind(interrupted).unwrap_err().is::<Interrupted>());
    }
}
