use std::sync::Arc;

use jupyter_protocol::{JupyterMessage, JupyterMessageContent};
use tokio::sync::Mutex;

use super::comms::Comms;
use super::iopub::Publisher;
use super::stdin::Questions;
use super::worker::Worker;

/// The channels between the evaluation process and the front end: for outputs, for questions to the
/// person, and for comms.
#[derive(Clone)]
pub struct FrontEnd {
    pub publisher: Publisher,
    pub questions: Questions,
    pub comms: Comms,
    pub worker: Worker,
    /// The request being handled. Locked by whoever publishes a status, because front ends show the last
    /// status published.
    pub running: Arc<Mutex<Option<Arc<JupyterMessage>>>>,
}

impl FrontEnd {
    /// Passes a comm message on to the evaluation process.
    pub async fn deliver_comm(&self, request: &JupyterMessage) {
        if self.comms.pass_on(request, |comm| self.worker.comm(comm)) {
            return;
        }
        tracing::debug!("shell: `{}` for an unknown comm", request.header.msg_type);
        if let JupyterMessageContent::CommOpen(open) = &request.content {
            // The protocol's answer to an unknown target.
            let close = self.comms.close(&open.comm_id);
            self.publisher.publish(close, Some(request)).await;
        }
    }
}
