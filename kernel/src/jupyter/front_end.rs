use std::sync::Arc;

use jupyter_protocol::JupyterMessage;
use tokio::sync::Mutex;

use super::comms::Comms;
use super::iopub::Publisher;
use super::stdin::Questions;
use super::worker::Worker;

/// The ways between the evaluation process and the front end: what is shown, asked and said on comms.
#[derive(Clone)]
pub struct FrontEnd {
    pub publisher: Publisher,
    pub questions: Questions,
    pub comms: Comms,
    pub worker: Worker,
    /// The request that is being handled. Whoever publishes a status holds it: the last status
    /// published is what front ends show.
    pub running: Arc<Mutex<Option<Arc<JupyterMessage>>>>,
}
