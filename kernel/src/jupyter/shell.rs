use std::sync::Arc;

use jupyter_protocol::{JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply, Status};
use jupyter_zmq_client::RouterSendConnection;
use tokio::sync::{mpsc, watch};

use super::concurrent_requests;
use super::front_end::FrontEnd;
use super::history::History;
use super::lifetime::LifetimeEvent;
use super::sending::WhenFull;
use super::sockets::{Received, accept, refuse, reply};

/// The request that outputs belong to when no cell runs: the last one that ran a cell.
pub type LastParent = watch::Receiver<Option<Arc<JupyterMessage>>>;

/// Answers the shell socket, one request at a time, in order.
pub struct Shell {
    pub(super) replies: RouterSendConnection,
    pub(super) front_end: FrontEnd,
    pub(super) history: History,
    /// The number of cells run and counted so far.
    pub(super) count: u32,
    pub(super) last_parent: watch::Sender<Option<Arc<JupyterMessage>>>,
    lifetime: mpsc::Sender<LifetimeEvent>,
}

impl Shell {
    /// A shell that has run nothing yet.
    pub fn new(
        replies: RouterSendConnection,
        front_end: FrontEnd,
        lifetime: mpsc::Sender<LifetimeEvent>,
    ) -> (Self, LastParent) {
        let (last_parent, receiver) = watch::channel(None);
        let history = History::of_this_person();
        (Self { replies, front_end, history, count: 0, last_parent, lifetime }, receiver)
    }

    /// Serves until the queue is closed.
    pub async fn serve(mut self, mut requests: mpsc::Receiver<Received>) {
        while let Some(received) = requests.recv().await {
            let Some(request) = self.accept(received).await else { continue };
            for queued in self.handle(&Arc::new(request), Some(&mut requests)).await {
                let Some(request) = self.accept(queued).await else { continue };
                self.handle(&Arc::new(request), None).await;
            }
        }
    }

    async fn accept(&mut self, received: Received) -> Option<JupyterMessage> {
        accept("shell", received, &mut self.replies, (&self.front_end.publisher, WhenFull::Wait)).await
    }

    /// Handles one request. Returns the requests that were queued behind a failed cell, which must then
    /// be handled with `queue` set to `None`; that aborts cells instead of running them.
    async fn handle(
        &mut self,
        request: &Arc<JupyterMessage>,
        queue: Option<&mut mpsc::Receiver<Received>>,
    ) -> Vec<Received> {
        self.begin(request).await;
        let mut waited = Vec::new();
        match (&request.content, queue) {
            (JupyterMessageContent::ExecuteRequest(execute), Some(queue)) => {
                waited = self.execute(request, execute, queue).await;
            }
            (JupyterMessageContent::ExecuteRequest(_), None) => self.abort(request).await,
            _ => self.answer(request).await,
        }
        self.end(request).await;
        waited
    }

    async fn begin(&self, request: &Arc<JupyterMessage>) {
        let mut running = self.front_end.running.lock().await;
        self.front_end.publisher.publish(Status::busy(), Some(request)).await;
        *running = Some(Arc::clone(request));
    }

    async fn end(&self, request: &Arc<JupyterMessage>) {
        let mut running = self.front_end.running.lock().await;
        self.front_end.publisher.publish(Status::idle(), Some(request)).await;
        *running = None;
    }

    async fn answer(&mut self, request: &JupyterMessage) {
        if let Some(answer) = concurrent_requests::answer(&self.front_end, request).await {
            return reply(&mut self.replies, answer).await;
        }
        let answer = match &request.content {
            JupyterMessageContent::HistoryRequest(wanted) => {
                // Another kernel may be writing.
                tokio::task::block_in_place(|| self.history.reply(wanted)).as_child_of(request)
            }
            JupyterMessageContent::CommOpen(_)
            | JupyterMessageContent::CommMsg(_)
            | JupyterMessageContent::CommClose(_) => {
                return self.front_end.deliver_comm(request).await;
            }
            // Before protocol 5.4, shutdown requests came on this socket.
            JupyterMessageContent::ShutdownRequest(shutdown) => {
                let restart = shutdown.restart;
                let answer = ShutdownReply { restart, status: ReplyStatus::Ok, error: None };
                reply(&mut self.replies, answer.as_child_of(request)).await;
                let _ = self.lifetime.send(LifetimeEvent::Leave("a front end requested it")).await;
                return;
            }
            _ => return refuse("shell", request, &mut self.replies).await,
        };
        reply(&mut self.replies, answer).await;
    }
}
