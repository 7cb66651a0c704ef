use std::time::Duration;

use partita_bridge::{MimeBundle, Stream};

use super::{Answer, Desk, answer, parse::blank, refuse};
use crate::interpreter::{Cell, Output, Phase, Settings};

/// Runs the code and reports how long it took.
pub fn time(desk: Desk<'_, '_>) -> Answer {
    let Desk { place, outputs, cell, step } = desk;
    let command = 0..step.argument.start;
    let code = blank(&cell.code, std::slice::from_ref(&command));
    let processor = place.processor_time();
    let outcome = place.run(&Cell { code, ..*cell }, outputs);
    let timing = place.timing().unwrap_or_default();
    let mut text = format!("wall {}", shown(timing.total));
    let compile: Duration = [Phase::Split, Phase::Probe, Phase::Check, Phase::Codegen, Phase::Link]
        .map(|phase| timing.of(phase))
        .iter()
        .sum();
    let run = timing.of(Phase::Run);
    if compile + run > Duration::ZERO {
        text.push_str(&format!(": compile {}, run {}", shown(compile), shown(run)));
    }
    if let (Some(before), Some(after)) = (processor, place.processor_time()) {
        text.push_str(&format!("; CPU {}", shown(after.saturating_sub(before))));
    }
    text.push('\n');
    // The front end may have gone; the cell runs anyway.
    let _ = outputs.blocking_send(Output::Text { stream: Stream::Stdout, text });
    answer(outcome)
}

/// Shows or sets whether every cell is timed.
pub fn timing(desk: Desk<'_, '_>) -> Answer {
    let settings = desk.place.settings();
    let timing = match desk.argument() {
        "" => settings.timing,
        "on" => true,
        "off" => false,
        other => return Err(refuse(format!("`:timing` takes `on` or `off`, not `{other}`"))),
    };
    desk.place.set(Settings { timing, ..settings });
    Ok(Some(MimeBundle::text(format!("timing is {}", if timing { "on" } else { "off" }))))
}

/// Shows or sets how cells are optimised.
pub fn opt(desk: Desk<'_, '_>) -> Answer {
    let settings = desk.place.settings();
    let optimisation = match desk.argument() {
        "" => settings.optimisation,
        level => level.parse().map_err(|why: String| refuse(why))?,
    };
    desk.place.set(Settings { optimisation, ..settings });
    Ok(Some(MimeBundle::text(format!("optimisation is {optimisation}"))))
}

fn shown(time: Duration) -> String {
    format!("{time:.1?}")
}
