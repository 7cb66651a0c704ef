use std::time::Duration;

use partita_bridge::{MimeBundle, Stream};
use partita_events::figures::duration;

use super::command::{Answer, Context, answer, blank, refuse};
use crate::{
    evaluator::Cell,
    output::Output,
    timing::{Phase, UnknownOptimisation},
};

/// Runs the code and reports how long it took.
pub fn time(context: Context<'_>) -> Answer {
    let Context { evaluator, outputs, cell, step, .. } = context;
    let command = 0..step.argument.start;
    let code = blank(&cell.code, std::slice::from_ref(&command));
    let processor = evaluator.processor_time();
    let outcome = evaluator.run(&Cell { code, ..*cell }, outputs);
    let timing = evaluator.shared().timing().unwrap_or_default();
    let mut text = format!("wall {}", duration(timing.total));
    let compile: Duration = [Phase::Split, Phase::Probe, Phase::Check, Phase::Codegen, Phase::Link]
        .map(|phase| timing.of(phase))
        .iter()
        .sum();
    let run = timing.of(Phase::Run);
    if compile + run > Duration::ZERO {
        text.push_str(&format!(": compile {}, run {}", duration(compile), duration(run)));
    }
    if let (Some(before), Some(after)) = (processor, evaluator.processor_time()) {
        text.push_str(&format!("; CPU {}", duration(after.saturating_sub(before))));
    }
    text.push('\n');
    // The front end may have gone; the cell runs anyway.
    let _ = outputs.blocking_send(Output::Text { stream: Stream::Stdout, text });
    answer(outcome)
}

/// Shows or sets whether every cell is timed.
pub fn timing(context: Context<'_>) -> Answer {
    let settings = context.evaluator.shared().settings();
    let timing = match context.argument() {
        "" => settings.timing,
        "on" => true,
        "off" => false,
        other => return Err(refuse(format!("`:timing` takes `on` or `off`, not `{other}`"))),
    };
    context.evaluator.shared().change_settings(|settings| settings.timing = timing);
    Ok(Some(MimeBundle::text(format!("timing is {}", if timing { "on" } else { "off" }))))
}

/// Shows or sets how cells are optimised.
pub fn opt(context: Context<'_>) -> Answer {
    let settings = context.evaluator.shared().settings();
    let optimisation = match context.argument() {
        "" => settings.optimisation,
        level => level.parse().map_err(|error: UnknownOptimisation| refuse(error.to_string()))?,
    };
    context.evaluator.shared().change_settings(|settings| settings.optimisation = optimisation);
    Ok(Some(MimeBundle::text(format!("optimisation is {optimisation}"))))
}
