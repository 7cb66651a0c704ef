use std::time::{Duration, Instant};

use partita_bridge::Stream;

use super::{Answer, Desk, answer, parse::blank};
use crate::interpreter::{Cell, Output};

/// Runs the code and says how long it took.
pub fn time(desk: Desk<'_, '_>) -> Answer {
    let Desk { place, outputs, cell, step } = desk;
    let code = blank(&cell.code, &[0..step.argument.start]);
    let processor = place.processor_time();
    let started = Instant::now();
    let outcome = place.run(&Cell { number: cell.number, code }, outputs);
    let wall = started.elapsed();
    let mut text = format!("wall {}", shown(wall));
    if let (Some(before), Some(after)) = (processor, place.processor_time()) {
        text.push_str(&format!(", CPU {} in the evaluation process", shown(after.saturating_sub(before))));
    }
    text.push('\n');
    // The front end may have gone; the cell ran all the same.
    let _ = outputs.blocking_send(Output::Text { stream: Stream::Stdout, text });
    answer(outcome)
}

fn shown(time: Duration) -> String {
    format!("{time:.1?}")
}
