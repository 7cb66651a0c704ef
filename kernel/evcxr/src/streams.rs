use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select};
use evcxr::EvalContextOutputs;
use partita_bridge::Stream;

use super::markers::END_OF_TEXT;
use partita_interpreter::{Output, OutputSender};

/// How long to wait for the end of a stream after a cell has ended. The wait lasts only if the cell
/// closed the stream.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Runs `work` and meanwhile forwards what the evaluation process prints. `said_end` tells whether the
/// cell reached the point where it marks the end of its text; if so, all its text has been sent when this
/// returns.
pub fn forward_during<T: Send>(
    streams: &EvalContextOutputs,
    outputs: &OutputSender,
    work: impl FnOnce() -> T,
    said_end: impl FnOnce(&T) -> bool,
) -> T {
    let (finished, finish) = bounded(1);
    thread::scope(|scope| {
        scope.spawn(move || Forwarder::new(streams, outputs).run(&finish));
        let result = work();
        // The forwarder ends only on this message, so it is there to receive it.
        let _ = finished.send(said_end(&result));
        result
    })
}

struct Forwarder<'a> {
    streams: &'a EvalContextOutputs,
    outputs: &'a OutputSender,
    open: [bool; 2],
}

impl<'a> Forwarder<'a> {
    fn new(streams: &'a EvalContextOutputs, outputs: &'a OutputSender) -> Self {
        Self { streams, outputs, open: [true; 2] }
    }

    fn run(mut self, finish: &Receiver<bool>) {
        let said_end = loop {
            select! {
                recv(self.streams.stdout) -> line => match line {
                    Ok(line) => self.send(Stream::Stdout, &line),
                    Err(_) => break false,
                },
                recv(self.streams.stderr) -> line => match line {
                    Ok(line) => self.send(Stream::Stderr, &line),
                    Err(_) => break false,
                },
                recv(finish) -> said_end => break said_end.unwrap_or(false),
            }
        };
        self.rest(Stream::Stdout, said_end);
        self.rest(Stream::Stderr, said_end);
    }

    fn rest(&mut self, stream: Stream, said_end: bool) {
        let lines = match stream {
            Stream::Stdout => &self.streams.stdout,
            Stream::Stderr => &self.streams.stderr,
        };
        while said_end && self.open[stream as usize] {
            match lines.recv_timeout(END_PATIENCE) {
                Ok(line) => self.send(stream, &line),
                Err(_) => break,
            }
        }
        while let Ok(line) = lines.try_recv() {
            self.send(stream, &line);
        }
    }

    fn send(&mut self, stream: Stream, line: &str) {
        let text = match line.strip_suffix(END_OF_TEXT) {
            Some(unfinished) => {
                self.open[stream as usize] = false;
                unfinished.to_owned()
            }
            None => format!("{line}\n"),
        };
        if !text.is_empty() {
            // The front end may have gone; the cell goes on anyway.
            let _ = self.outputs.blocking_send(Output::Text { stream, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    #[test]
    fn text_without_a_newline_arrives_before_the_cell_is_reported_done() {
        let (stdout_sender, stdout) = unbounded();
        let (stderr_sender, stderr) = unbounded();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
        let work = || {
            stdout_sender.send("one".to_owned()).unwrap();
            stdout_sender.send(format!("two{END_OF_TEXT}")).unwrap();
            // stderr has a pipe of its own and may arrive after the cell's end.
            thread::spawn(move || stderr_sender.send(format!("late{END_OF_TEXT}")).unwrap());
        };
        forward_during(&EvalContextOutputs { stdout, stderr }, &sender, work, |()| true);
        let mut texts = Vec::new();
        while let Ok(Output::Text { text, .. }) = receiver.try_recv() {
            texts.push(text);
        }
        texts.sort();
        assert_eq!(texts, ["late", "one\n", "two"]);
    }

    #[test]
    fn a_cell_that_never_ran_is_not_waited_for() {
        let (_stdout_sender, stdout) = unbounded();
        let (_stderr_sender, stderr) = unbounded();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
        forward_during(&EvalContextOutputs { stdout, stderr }, &sender, || (), |()| false);
        assert!(receiver.try_recv().is_err());
    }
}
