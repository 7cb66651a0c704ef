use std::sync::Arc;

use jupyter_protocol::{
    CommClose, CommInfoReply, CommOpen, JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply,
    Status,
};
use jupyter_zmq_client::RouterSendConnection;
use tokio::sync::{mpsc, watch};

use super::complete;
use super::history::History;
use super::info::kernel_info;
use super::iopub::Publisher;
use super::lifetime::LifetimeEvent;
use super::sockets::{Received, WhenFull, accept, reply};
use super::worker::Worker;

/// The request that outputs belong to when no cell runs: the last one that ran a cell.
pub type LastParent = watch::Receiver<Option<Arc<JupyterMessage>>>;

/// Answers the shell socket, one request at a time, in order.
pub struct Shell {
    pub(super) replies: RouterSendConnection,
    pub(super) publisher: Publisher,
    pub(super) worker: Worker,
    pub(super) history: History,
    /// Cells run and counted so far.
    pub(super) count: u32,
    pub(super) last_parent: watch::Sender<Option<Arc<JupyterMessage>>>,
    lifetime: mpsc::Sender<LifetimeEvent>,
}

impl Shell {
    /// A shell that has run nothing.
    pub fn new(
        replies: RouterSendConnection,
        publisher: Publisher,
        worker: Worker,
        lifetime: mpsc::Sender<LifetimeEvent>,
    ) -> (Self, LastParent) {
        let (last_parent, receiver) = watch::channel(None);
        let history = History::default();
        (Self { replies, publisher, worker, history, count: 0, last_parent, lifetime }, receiver)
    }

    /// Serves until the queue closes.
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
        accept("shell", received, &mut self.replies, (&self.publisher, WhenFull::Wait)).await
    }

    /// Handles one request; what comes back waited behind a cell that failed and is to be handled
    /// without `queue`. Without one, cells are aborted instead of run.
    async fn handle(
        &mut self,
        request: &Arc<JupyterMessage>,
        queue: Option<&mut mpsc::Receiver<Received>>,
    ) -> Vec<Received> {
        self.publisher.publish(Status::busy(), Some(request)).await;
        let mut waited = Vec::new();
        match (&request.content, queue) {
            (JupyterMessageContent::ExecuteRequest(execute), Some(queue)) => {
                waited = self.execute(request, execute, queue).await;
            }
            (JupyterMessageContent::ExecuteRequest(_), None) => self.abort(request).await,
            _ => self.answer(request).await,
        }
        self.publisher.publish(Status::idle(), Some(request)).await;
        waited
    }

    async fn answer(&mut self, request: &JupyterMessage) {
        let answer = match &request.content {
            JupyterMessageContent::KernelInfoRequest(_) => kernel_info().as_child_of(request),
            JupyterMessageContent::IsCompleteRequest(code) => {
                complete::is_complete(code).as_child_of(request)
            }
            JupyterMessageContent::CompleteRequest(place) => {
                let place = place.clone();
                let reply = self.worker.ask(move |interpreter| complete::complete(&place, interpreter)).await;
                reply.as_child_of(request)
            }
            JupyterMessageContent::InspectRequest(place) => {
                let place = place.clone();
                let reply = self.worker.ask(move |interpreter| complete::inspect(&place, interpreter)).await;
                reply.as_child_of(request)
            }
            JupyterMessageContent::HistoryRequest(wanted) => self.history.reply(wanted).as_child_of(request),
            JupyterMessageContent::CommInfoRequest(_) => CommInfoReply::default().as_child_of(request),
            JupyterMessageContent::CommOpen(open) => return self.refuse_comm(open, request).await,
            // Before protocol 5.4 shutdown came here.
            JupyterMessageContent::ShutdownRequest(shutdown) => {
                let restart = shutdown.restart;
                let answer = ShutdownReply { restart, status: ReplyStatus::Ok, error: None };
                reply(&mut self.replies, answer.as_child_of(request)).await;
                let _ = self.lifetime.send(LifetimeEvent::Leave("a front end asked for it")).await;
                return;
            }
            JupyterMessageContent::CommMsg(_) | JupyterMessageContent::CommClose(_) => {
                tracing::debug!("shell: `{}` for a comm that is not open", request.header.msg_type);
                return;
            }
            _ => {
                tracing::warn!("shell: `{}` is not known here", request.header.msg_type);
                return;
            }
        };
        reply(&mut self.replies, answer).await;
    }

    /// The protocol's answer to a target nobody here has.
    async fn refuse_comm(&self, open: &CommOpen, request: &JupyterMessage) {
        tracing::debug!("shell: no comm target `{}`", open.target_name);
        let close = CommClose { comm_id: open.comm_id.clone(), data: serde_json::Map::new() };
        self.publisher.publish(close, Some(request)).await;
    }
}
