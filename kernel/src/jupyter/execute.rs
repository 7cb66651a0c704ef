use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{
    ErrorOutput, ExecuteInput, ExecuteReply, ExecuteRequest, ExecuteResult, ExecutionCount, ExpressionResult,
    JupyterMessage, Payload, ReplyError, ReplyStatus, Transient, UnknownMessage,
};
use partita_bridge::MimeBundle;
use serde_json::json;
use tokio::sync::mpsc;

use super::mime::media;
use super::outputs::{Forwarder, OUTPUT_QUEUE, OutputPolicy};
use super::shell::Shell;
use super::sockets::{Received, reply};
use partita_interpreter::{Cell, CellError, Outcome};

/// After a failure, how long the socket must be quiet before the queue counts as complete. Front ends
/// send "run all" in one go. The failed cell's reply is held back, so none of the queue is a response to
/// it.
const ABORT_WINDOW: Duration = Duration::from_millis(10);
/// The maximum number of requests taken from the queue after a failure.
const ABORT_LIMIT: usize = 1024;

impl Shell {
    /// Runs a cell and replies. After a failure that must stop the following cells, returns the requests
    /// that were queued behind it.
    pub(super) async fn execute(
        &mut self,
        request: &Arc<JupyterMessage>,
        execute: &ExecuteRequest,
        queue: &mut mpsc::Receiver<Received>,
    ) -> Vec<Received> {
        let counted = execute.store_history && !execute.silent && !execute.code.trim().is_empty();
        let number = self.count + 1;
        if counted {
            self.count = number;
        }
        let (outcome, pages) = self.run_cell(request, execute, number).await;
        let execution_count = ExecutionCount::new(number as usize);
        let mut answer = ExecuteReply {
            execution_count,
            payload: pages.iter().map(|page| Payload::Page { data: media(page), start: 0 }).collect(),
            user_expressions: Some(HashMap::new()),
            ..ExecuteReply::default()
        };
        let mut shown = String::new();
        let mut waited = Vec::new();
        match outcome {
            Outcome::Finished(value) => {
                if let Some(bundle) = value.filter(|bundle| !bundle.is_empty()) {
                    bundle.get("text/plain").unwrap_or_default().clone_into(&mut shown);
                    if !execute.silent {
                        let transient = Some(Transient::default());
                        let result = ExecuteResult {
                            transient,
                            ..ExecuteResult::new(execution_count, media(&bundle))
                        };
                        self.front_end.publisher.publish(result, Some(request)).await;
                    }
                }
                let expressions = execute.user_expressions.as_ref();
                answer.user_expressions = Some(self.expressions(request, expressions, number).await);
            }
            Outcome::Failed(error) => {
                if !execute.silent {
                    self.front_end.publisher.publish(error_output(&error), Some(request)).await;
                }
                let CellError { name, message, traceback } = error;
                answer.status = ReplyStatus::Error;
                answer.error = Some(Box::new(ReplyError { ename: name, evalue: message, traceback }));
                if execute.stop_on_error {
                    waited = waiting(queue).await;
                }
            }
        }
        reply(&mut self.replies, answer.as_child_of(request)).await;
        if counted {
            // Another kernel may be writing.
            tokio::task::block_in_place(|| self.history.add(number as usize, &execute.code, &shown));
        }
        waited
    }

    async fn run_cell(
        &mut self,
        request: &Arc<JupyterMessage>,
        execute: &ExecuteRequest,
        number: u32,
    ) -> (Outcome, Vec<MimeBundle>) {
        if execute.code.trim().is_empty() {
            return (Outcome::Finished(None), Vec::new());
        }
        if !execute.silent {
            let execution_count = ExecutionCount::new(number as usize);
            let input = ExecuteInput { code: execute.code.clone(), execution_count };
            self.front_end.publisher.publish(input, Some(request)).await;
            self.last_parent.send_replace(Some(Arc::clone(request)));
        }
        let policy = OutputPolicy::of_request(execute.silent, execute.allow_stdin);
        self.run_code(request, number, execute.code.clone(), policy).await
    }

    async fn run_code(
        &self,
        request: &JupyterMessage,
        number: u32,
        code: String,
        policy: OutputPolicy,
    ) -> (Outcome, Vec<MimeBundle>) {
        let (sender, mut outputs) = mpsc::channel(OUTPUT_QUEUE);
        let viewer = policy.viewer();
        let running = self.front_end.worker.execute(Cell { number, code, viewer }, sender);
        Forwarder::new(&self.front_end, Some(request), policy).until(&mut outputs, running).await
    }

    /// Evaluates the front end's `user_expressions`; their outputs are not shown.
    async fn expressions(
        &self,
        request: &JupyterMessage,
        expressions: Option<&HashMap<String, String>>,
        number: u32,
    ) -> HashMap<String, ExpressionResult> {
        let mut results = HashMap::new();
        for (name, code) in expressions.into_iter().flatten() {
            let policy = OutputPolicy::of_request(true, false);
            let result = match self.run_code(request, number, code.clone(), policy).await.0 {
                Outcome::Finished(bundle) => ExpressionResult::Ok {
                    data: media(&bundle.unwrap_or_default()),
                    metadata: serde_json::Map::new(),
                },
                Outcome::Failed(CellError { name, message, traceback }) => {
                    ExpressionResult::Error { ename: name, evalue: message, traceback }
                }
            };
            results.insert(name.clone(), result);
        }
        results
    }

    /// Replies to a cell that is not run because an earlier one failed.
    pub(super) async fn abort(&mut self, request: &JupyterMessage) {
        // The typed reply has an execution count, but this cell never ran.
        let content = json!({"status": "aborted"});
        let answer = UnknownMessage { msg_type: "execute_reply".to_owned(), content };
        reply(&mut self.replies, answer.as_child_of(request)).await;
    }
}

fn error_output(error: &CellError) -> ErrorOutput {
    ErrorOutput {
        ename: error.name.clone(),
        evalue: error.message.clone(),
        traceback: error.traceback.clone(),
    }
}

async fn waiting(queue: &mut mpsc::Receiver<Received>) -> Vec<Received> {
    let mut waiting = Vec::new();
    while waiting.len() < ABORT_LIMIT
        && let Ok(Some(received)) = tokio::time::timeout(ABORT_WINDOW, queue.recv()).await
    {
        waiting.push(received);
    }
    waiting
}
