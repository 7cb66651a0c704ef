use std::sync::Arc;

use jupyter_protocol::JupyterMessage;
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
