use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{InputRequest, JupyterMessage, JupyterMessageContent, ReplyStatus};
use jupyter_zmq_client::{KernelStdinConnection, RouterRecvConnection, RouterSendConnection};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;

use super::sending::{PATIENCE, stamped, within};
use super::sockets::{ReceiveError, receive};
use super::worker::Worker;

/// How many questions may be queued; a cell asks one at a time.
const QUEUE: usize = 8;

/// Asks the person for input, on the stdin socket of the front end that sent the request.
#[derive(Clone)]
pub struct Questions {
    queue: mpsc::Sender<JupyterMessage>,
    /// The id of the open question.
    open: Arc<Mutex<Option<String>>>,
}

impl Questions {
    /// Asks on behalf of `request`. The answer is passed to the cell automatically.
    pub async fn ask(&self, request: &JupyterMessage, prompt: String, password: bool) {
        let question = stamped(InputRequest { prompt, password }.as_child_of(request));
        *self.lock() = Some(question.header.msg_id.clone());
        // The receiver is dropped only when the kernel ends.
        let _ = self.queue.send(question).await;
    }

    /// Drops the open question; nobody waits for an answer any more.
    pub fn forget(&self) {
        self.lock().take();
    }

    /// Closes the open question if the message answers it. Returns whether it does.
    fn close(&self, answer: &JupyterMessage) -> bool {
        let mut open = self.lock();
        // Some front ends do not say which question they answer. Those that do may answer an old one.
        let stale = answer.parent_header.as_ref().is_some_and(|parent| {
            parent.msg_type == "input_request" && open.as_deref() != Some(parent.msg_id.as_str())
        });
        !stale && open.take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.open.lock()
    }
}

/// Starts the tasks that own the socket: one sends questions, one receives answers.
pub fn start(stdin: KernelStdinConnection, worker: &Worker) -> Questions {
    let (sending, receiving) = stdin.split();
    let (queue, queued) = mpsc::channel(QUEUE);
    let questions = Questions { queue, open: Arc::default() };
    tokio::spawn(send(queued, sending, questions.open.clone(), worker.clone()));
    tokio::spawn(take(receiving, questions.clone(), worker.clone()));
    questions
}

async fn send(
    mut queued: mpsc::Receiver<JupyterMessage>,
    mut socket: RouterSendConnection,
    open: Arc<Mutex<Option<String>>>,
    worker: Worker,
) {
    while let Some(question) = queued.recv().await {
        let id = question.header.msg_id.clone();
        if within(PATIENCE, "input_request", socket.send(question)).await {
            continue;
        }
        let waits = open.lock().take_if(|open| *open == id);
        if waits.is_some() {
            worker.input(Err("the front end that ran the cell does not listen on its stdin channel".into()));
        }
    }
}

async fn take(mut socket: RouterRecvConnection, questions: Questions, worker: Worker) {
    loop {
        match receive(&mut socket).await {
            Ok(message) if !questions.close(&message) => {
                tracing::warn!("{} on stdin does not answer an open question", message.header.msg_type);
            }
            Ok(message) => match message.content {
                JupyterMessageContent::InputReply(reply) if reply.status == ReplyStatus::Ok => {
                    worker.input(Ok(reply.value));
                }
                JupyterMessageContent::InputReply(reply) => {
                    let why = reply.error.map_or_else(|| "no reason given".to_owned(), |error| error.evalue);
                    worker.input(Err(format!("the front end could not ask for input: {why}")));
                }
                _ => worker.input(Err(format!(
                    "the front end answered with `{}` instead of a line",
                    message.header.msg_type
                ))),
            },
            Err(ReceiveError::Socket(error)) => {
                tracing::debug!("stdin: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => tracing::warn!("stdin: {error}"),
        }
    }
}

/// Questions whose queue nobody serves, and the queue's receiving end.
#[cfg(test)]
pub fn recorded() -> (Questions, mpsc::Receiver<JupyterMessage>) {
    let (queue, queued) = mpsc::channel(QUEUE);
    (Questions { queue, open: Arc::default() }, queued)
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, InputReply};

    use super::*;

    fn answer(parent: Option<&JupyterMessage>) -> JupyterMessage {
        JupyterMessage::new(InputReply { value: "x".into(), ..InputReply::default() }, parent)
    }

    #[tokio::test]
    async fn an_answer_closes_the_question_and_a_second_one_is_too_late() {
        let (questions, mut queued) = recorded();
        let request = JupyterMessage::from(ExecuteRequest::new(String::new()));
        assert!(!questions.close(&answer(None)), "nothing was asked");
        questions.ask(&request, "Name?".into(), false).await;
        let question = queued.recv().await.unwrap();
        assert_eq!(question.parent_header.as_ref().unwrap().msg_id, request.header.msg_id);
        assert!(questions.close(&answer(Some(&question))));
        assert!(!questions.close(&answer(Some(&question))));
    }

    #[tokio::test]
    async fn an_answer_to_an_old_question_does_not_answer_the_new_one() {
        let (questions, mut queued) = recorded();
        let request = JupyterMessage::from(ExecuteRequest::new(String::new()));
        questions.ask(&request, "old".into(), false).await;
        let old = queued.recv().await.unwrap();
        questions.forget();
        questions.ask(&request, "new".into(), false).await;
        assert!(!questions.close(&answer(Some(&old))));
        // jupyter_client's blocking client does not name the question.
        assert!(questions.close(&answer(None)));
    }
}
