use std::future::Future;
use std::time::Duration;

use jupyter_protocol::{
    ClearOutput, DisplayData, JupyterMessage, JupyterMessageContent, Stdio, StreamContent, Transient,
    UpdateDisplayData,
};
use partita_bridge::{MimeBundle, Stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::front_end::FrontEnd;
use super::mime::media;
use super::shell::LastParent;
use partita_interpreter::{Output, Viewer};

/// How long text may wait for more text before it is published.
const COALESCE: Duration = Duration::from_millis(20);
/// Text beyond this size is published at once. Front ends redraw on each message, and servers limit the
/// rate.
const MAX_STREAM_BYTES: usize = 64 << 10;

/// How many outputs may be on their way from a cell to the front end; beyond that the cell is slowed
/// down.
pub const OUTPUT_QUEUE: usize = 256;

/// How many pages a cell can have; further ones are shown among its outputs.
const MAX_PAGES: usize = 16;

const NO_CELL: &str = "no cell is running, so the front end cannot ask for input";
const NO_INPUT: &str = "the front end takes no input for this cell (`allow_stdin` is false), as when a \
notebook runs without a person";

/// Publishes what arrives while no cell runs, with the last cell as its cause. This is a task of its own,
/// so that nothing waits for it behind a running cell.
pub async fn forward_background(
    mut outputs: mpsc::Receiver<Output>,
    front_end: FrontEnd,
    last_parent: LastParent,
) {
    while let Some(first) = outputs.recv().await {
        let parent = last_parent.borrow().clone();
        // Wait long enough for text to accumulate, then send all of it.
        let wait = tokio::time::sleep(COALESCE);
        let mut forwarder = Forwarder::new(&front_end, parent.as_deref(), OutputPolicy::BACKGROUND);
        forwarder.forward(first).await;
        forwarder.until(&mut outputs, wait).await;
    }
}

/// How the outputs of a request are handled.
#[derive(Debug, Clone, Copy)]
pub struct OutputPolicy {
    /// Nothing is shown.
    pub silent: bool,
    /// The reason why the person cannot be asked for input, if there is one.
    refuses_input: Option<&'static str>,
    /// Whether pages are collected for a reply; without a reply they are shown.
    has_reply: bool,
}

impl OutputPolicy {
    /// For what arrives while no cell runs.
    const BACKGROUND: Self = Self { silent: false, refuses_input: Some(NO_CELL), has_reply: false };

    /// Who sees the outputs. If a front end takes no input, nobody is in front of it.
    pub fn viewer(self) -> Viewer {
        match (self.silent, self.refuses_input) {
            (true, _) => Viewer::Terminal,
            (false, Some(_)) => Viewer::Document,
            (false, None) => Viewer::Page,
        }
    }

    /// For the outputs of a request.
    pub fn of_request(silent: bool, allows_input: bool) -> Self {
        Self { silent, refuses_input: (!allows_input).then_some(NO_INPUT), has_reply: true }
    }
}

/// Publishes outputs with one request as their cause, merging text into few messages instead of one per
/// line.
pub struct Forwarder<'a> {
    front_end: &'a FrontEnd,
    parent: Option<&'a JupyterMessage>,
    policy: OutputPolicy,
    pending: Option<Pending>,
    pages: Vec<MimeBundle>,
}

struct Pending {
    stream: Stream,
    text: String,
    due: Instant,
}

impl<'a> Forwarder<'a> {
    /// Creates a forwarder; nothing is pending yet.
    pub fn new(front_end: &'a FrontEnd, parent: Option<&'a JupyterMessage>, policy: OutputPolicy) -> Self {
        Self { front_end, parent, policy, pending: None, pages: Vec::new() }
    }

    /// Forwards until `done` is ready, including everything sent before that. Returns the result of
    /// `done` and the pages for the reply.
    pub async fn until<T>(
        mut self,
        outputs: &mut mpsc::Receiver<Output>,
        done: impl Future<Output = T>,
    ) -> (T, Vec<MimeBundle>) {
        tokio::pin!(done);
        let value = loop {
            tokio::select! {
                value = &mut done => break value,
                Some(output) = outputs.recv() => self.forward(output).await,
                () = self.pending_due() => self.flush().await,
            }
        };
        while let Ok(output) = outputs.try_recv() {
            self.forward(output).await;
        }
        self.flush().await;
        if self.policy.has_reply {
            self.front_end.questions.forget();
        }
        (value, self.pages)
    }

    async fn pending_due(&self) {
        match &self.pending {
            Some(pending) => tokio::time::sleep_until(pending.due).await,
            None => std::future::pending().await,
        }
    }

    async fn forward(&mut self, output: Output) {
        match output {
            // This is not a cell's output but state shared between the front end's code and the cells.
            Output::Comm(comm) => {
                self.flush().await;
                let message = self.front_end.comms.outgoing(comm, self.parent);
                self.front_end.publisher.publish_message(message).await;
            }
            Output::ProcessEnded => {
                for close in self.front_end.comms.close_all() {
                    self.publish(close).await;
                }
            }
            Output::InputRequest { prompt, password } => self.ask(prompt, password).await,
            _ if self.policy.silent => {}
            Output::Text { stream, text } => self.text(stream, text).await,
            Output::Display { id, bundle } => {
                self.flush().await;
                let transient = id.map(|id| Transient { display_id: Some(id) });
                self.publish(DisplayData { transient, ..DisplayData::new(media(&bundle)) }).await;
            }
            Output::UpdateDisplay { id, bundle } => {
                self.flush().await;
                self.publish(UpdateDisplayData::new(media(&bundle), &id)).await;
            }
            Output::ClearOutput { wait } => {
                self.flush().await;
                self.publish(ClearOutput { wait }).await;
            }
            Output::Page(bundle) if self.policy.has_reply && self.pages.len() < MAX_PAGES => {
                self.pages.push(bundle);
            }
            Output::Page(bundle) => {
                self.flush().await;
                self.publish(DisplayData::new(media(&bundle))).await;
            }
            Output::Events { .. } => {}
        }
    }

    /// Asks the person, or sends the cell the reason why not.
    async fn ask(&mut self, prompt: String, password: bool) {
        let FrontEnd { publisher, questions, worker, .. } = self.front_end;
        match (self.policy.refuses_input, self.parent) {
            (None, Some(parent)) => {
                // Show what was printed before the question along with it.
                self.flush().await;
                publisher.flush().await;
                questions.ask(parent, prompt, password).await;
            }
            (why, _) => worker.input(Err(why.unwrap_or(NO_CELL).to_owned())),
        }
    }

    async fn publish(&self, content: impl Into<JupyterMessageContent>) {
        self.front_end.publisher.publish(content, self.parent).await;
    }

    async fn text(&mut self, stream: Stream, text: String) {
        if self.pending.as_ref().is_some_and(|pending| pending.stream != stream) {
            self.flush().await;
        }
        match &mut self.pending {
            Some(pending) => pending.text.push_str(&text),
            None => self.pending = Some(Pending { stream, text, due: Instant::now() + COALESCE }),
        }
        if self.pending.as_ref().is_some_and(|pending| pending.text.len() >= MAX_STREAM_BYTES) {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        let Some(Pending { stream, text, .. }) = self.pending.take() else { return };
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(rest.floor_char_boundary(MAX_STREAM_BYTES));
            rest = left;
            let name = match stream {
                Stream::Stdout => Stdio::Stdout,
                Stream::Stderr => Stdio::Stderr,
            };
            self.publish(StreamContent { name, text: chunk.to_owned() }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, JupyterMessage};
    use partita_bridge::MimeBundle;
    use serde_json::{Value, json};

    use super::*;
    use crate::jupyter::comms::Comms;
    use crate::jupyter::worker::Worker;
    use crate::jupyter::{iopub, stdin};

    fn text(stream: Stream, text: &str) -> Output {
        Output::Text { stream, text: text.to_owned() }
    }

    /// The types and contents of what is published for outputs that are all present when the cell ends.
    async fn published(outputs: Vec<Output>, silent: bool) -> Vec<(String, Value)> {
        let parent = JupyterMessage::from(ExecuteRequest::new(String::new()));
        let (publisher, mut published) = iopub::recorded();
        let (questions, _) = stdin::recorded();
        let (comms, worker) = (Comms::default(), Worker::unstarted());
        let front_end = FrontEnd { publisher, questions, comms, worker, running: Default::default() };
        let (sender, mut receiver) = mpsc::channel(OUTPUT_QUEUE);
        for output in outputs {
            sender.send(output).await.unwrap();
        }
        let policy = OutputPolicy::of_request(silent, true);
        let forwarder = Forwarder::new(&front_end, Some(&parent), policy);
        let ((), pages) = forwarder.until(&mut receiver, async {}).await;
        assert!(pages.len() <= if silent { 0 } else { MAX_PAGES });
        let describe = |message: JupyterMessage| {
            assert_eq!(message.parent_header.unwrap().msg_id, parent.header.msg_id);
            (message.header.msg_type, serde_json::to_value(&message.content).unwrap())
        };
        published().into_iter().map(describe).collect()
    }

    fn stream(name: &str, text: &str) -> (String, Value) {
        ("stream".to_owned(), json!({"name": name, "text": text}))
    }

    #[tokio::test]
    async fn displays_updates_and_clearing_keep_their_place_among_the_text() {
        let bundle = MimeBundle::text("1").with("text/html", "<b>1</b>");
        let data = json!({"text/plain": "1", "text/html": "<b>1</b>"});
        let (id, transient) = ("d".to_owned(), json!({"display_id": "d"}));
        let outputs = vec![
            text(Stream::Stdout, "a"),
            text(Stream::Stdout, "b\n"),
            Output::Display { id: Some(id.clone()), bundle: bundle.clone() },
            Output::Display { id: None, bundle: bundle.clone() },
            text(Stream::Stderr, "c"),
            Output::UpdateDisplay { id, bundle },
            Output::ClearOutput { wait: true },
            text(Stream::Stderr, "d"),
        ];
        let expected = [
            stream("stdout", "ab\n"),
            ("display_data".into(), json!({"data": data, "metadata": {}, "transient": transient})),
            ("display_data".into(), json!({"data": data, "metadata": {}})),
            stream("stderr", "c"),
            ("update_display_data".into(), json!({"data": data, "metadata": {}, "transient": transient})),
            ("clear_output".into(), json!({"wait": true})),
            stream("stderr", "d"),
        ];
        assert_eq!(published(outputs, false).await, expected);
    }

    #[tokio::test]
    async fn text_is_cut_between_characters_into_bounded_messages() {
        let long = "aé".repeat(MAX_STREAM_BYTES / 2);
        let messages = published(vec![text(Stream::Stdout, &long)], false).await;
        assert_eq!(messages.len(), 2);
        let texts: Vec<&str> =
            messages.iter().map(|(_, content)| content["text"].as_str().unwrap()).collect();
        assert!(texts.iter().all(|text| text.len() <= MAX_STREAM_BYTES));
        assert_eq!(texts.concat(), long);
    }

    #[tokio::test]
    async fn a_silent_request_publishes_nothing() {
        let page = Output::Page(MimeBundle::text("a"));
        let outputs = vec![text(Stream::Stdout, "a"), Output::ClearOutput { wait: false }, page];
        assert!(published(outputs, true).await.is_empty());
    }

    #[tokio::test]
    async fn pages_wait_for_the_reply_and_those_over_the_limit_are_shown() {
        let page = |_| Output::Page(MimeBundle::text("p"));
        assert!(published((0..MAX_PAGES).map(page).collect(), false).await.is_empty());
        let kinds: Vec<String> = published((0..MAX_PAGES + 2).map(page).collect(), false)
            .await
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, ["display_data", "display_data"]);
    }

    #[tokio::test]
    async fn a_process_that_ends_closes_its_comms_for_a_silent_request_too() {
        let open = partita_bridge::Comm {
            id: "1".into(),
            action: partita_bridge::CommAction::Open { target: "t".into() },
            data: "{}".into(),
            metadata: "{}".into(),
            buffers: Vec::new(),
        };
        let expected = [
            ("comm_open".to_owned(), json!({"comm_id": "1", "target_name": "t", "data": {}})),
            ("comm_close".to_owned(), json!({"comm_id": "1", "data": {}})),
        ];
        assert_eq!(published(vec![Output::Comm(open), Output::ProcessEnded], true).await, expected);
    }
}
