use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jupyter_protocol::{
    ConnectionInfo, DebugReply, DebugRequest, Header, JupyterMessage, JupyterMessageContent, Status,
    UnknownMessage,
};
use jupyter_zmq_client::{
    KernelControlConnection, KernelHeartbeatConnection, KernelIoPubXPubConnection, KernelShellConnection,
    KernelStdinConnection, RawMessage, RouterRecvConnection, RouterSendConnection, RuntimeError,
    create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_xpub_connection, create_kernel_shell_connection, create_kernel_stdin_connection,
};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::mpsc;
use zeromq::{SocketRecv, ZmqError};

use super::iopub::Publisher;
use super::sending::{PATIENCE, WhenFull, stamped, within};

/// The kernel's five bound sockets.
pub struct Sockets {
    pub shell: KernelShellConnection,
    pub control: KernelControlConnection,
    pub iopub: KernelIoPubXPubConnection,
    pub stdin: KernelStdinConnection,
    pub heartbeat: KernelHeartbeatConnection,
}

impl Sockets {
    /// Binds all five sockets.
    pub async fn bind(info: &ConnectionInfo, file: &Path) -> anyhow::Result<Self> {
        let session = uuid::Uuid::new_v4().to_string();
        let why = |socket: &str, endpoint: String| {
            format!(
                "cannot bind the {socket} socket to {endpoint}, as connection file {} requires; \
                 if another process holds the port, start the kernel from Jupyter again",
                file.display()
            )
        };
        Ok(Self {
            shell: create_kernel_shell_connection(info, &session)
                .await
                .with_context(|| why("shell", info.shell_url()))?,
            control: create_kernel_control_connection(info, &session)
                .await
                .with_context(|| why("control", info.control_url()))?,
            iopub: create_kernel_iopub_xpub_connection(info, &session)
                .await
                .with_context(|| why("iopub", info.iopub_url()))?,
            stdin: create_kernel_stdin_connection(info, &session)
                .await
                .with_context(|| why("stdin", info.stdin_url()))?,
            heartbeat: create_kernel_heartbeat_connection(info)
                .await
                .with_context(|| why("heartbeat", info.hb_url()))?,
        })
    }
}

/// Why a message could not be received.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] ZmqError),
    /// The frames are not a message signed with our key, so nobody can be answered.
    #[error("not a signed Jupyter message: {0}")]
    Untrusted(#[from] RuntimeError),
    /// The message is properly signed, but its header or metadata do not follow the protocol.
    #[error("malformed message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The message is properly signed and addressed, but its content does not match its type. It is
    /// included, so that it can be answered, with its content unchanged.
    #[error("content does not match its message type: {0}")]
    Content(#[source] serde_json::Error, Box<JupyterMessage>),
}

/// Receives one message. `Connection::read` is not enough: clients send requests that its strict types
/// reject, and it does not return the sender of rejected content.
pub async fn receive(connection: &mut RouterRecvConnection) -> Result<JupyterMessage, ReceiveError> {
    let raw = RawMessage::from_multipart(connection.socket.recv().await?, &connection.mac)?;
    decode(raw)
}

pub(super) fn decode(raw: RawMessage) -> Result<JupyterMessage, ReceiveError> {
    let header: Header = serde_json::from_slice(&raw.jparts[0])?;
    let content: Value = serde_json::from_slice(&raw.jparts[3])?;
    let content = with_defaults(&header.msg_type, content);
    let mut message = JupyterMessage {
        zmq_identities: raw.zmq_identities,
        parent_header: serde_json::from_slice(&raw.jparts[1]).ok(),
        metadata: serde_json::from_slice(&raw.jparts[2])?,
        content: UnknownMessage { msg_type: header.msg_type.clone(), content: content.clone() }.into(),
        buffers: raw.jparts[4..].to_vec(),
        channel: None,
        header,
    };
    match JupyterMessageContent::from_type_and_content(&message.header.msg_type, content) {
        Ok(content) => {
            message.content = content;
            Ok(message)
        }
        Err(error) => Err(ReceiveError::Content(error, Box::new(message))),
    }
}

/// Adds the defaults that the protocol defines and `jupyter_client` leaves out; the typed requests
/// require every field.
fn with_defaults(msg_type: &str, mut content: Value) -> Value {
    let defaults = match msg_type {
        "execute_request" => json!({"silent": false, "store_history": true}),
        "shutdown_request" => json!({"restart": false}),
        "history_request" => json!({
            "hist_access_type": "tail", "output": false, "raw": true, "session": 0, "start": 0,
            "stop": i32::MAX, "n": 1000, "pattern": "*", "unique": false,
        }),
        _ => return content,
    };
    if let (Value::Object(content), Value::Object(defaults)) = (&mut content, defaults) {
        for (key, default) in defaults {
            let value = content.entry(key).or_insert(Value::Null);
            if value.is_null() {
                *value = default;
            }
        }
    }
    content
}

/// What a reader of requests passes on.
pub type Received = Result<JupyterMessage, ReceiveError>;

/// Returns the request in what was received. Everything else is logged, and answered with an error if
/// somebody waits for a reply. Nothing that a peer sends ends the kernel.
pub async fn accept(
    socket: &str,
    received: Received,
    replies: &mut RouterSendConnection,
    (publisher, when_full): (&Publisher, WhenFull),
) -> Option<JupyterMessage> {
    match received {
        Ok(request) => Some(request),
        Err(ReceiveError::Content(error, request)) => {
            let kind = &request.header.msg_type;
            tracing::warn!("{socket}: `{kind}` refused: {error}");
            publisher.publish_status(Status::busy(), &request, when_full).await;
            if let Some(kind) = kind.strip_suffix("_request") {
                let evalue = format!("the content of `{kind}_request` does not follow the protocol: {error}");
                let content = json!({
                    "status": "error", "ename": "InvalidRequest", "evalue": evalue, "traceback": [],
                });
                let answer = UnknownMessage { msg_type: format!("{kind}_reply"), content };
                reply(replies, answer.as_child_of(&request)).await;
            }
            publisher.publish_status(Status::idle(), &request, when_full).await;
            None
        }
        Err(ReceiveError::Untrusted(RuntimeError::VerifyError(_))) => {
            tracing::warn!("{socket}: ignored a message that is not signed with our key");
            None
        }
        Err(error) => {
            tracing::warn!("{socket}: {error}");
            None
        }
    }
}

/// Answers a request that this kernel does not know, because its sender may wait for a reply. Other
/// messages are only logged.
pub async fn refuse(socket: &str, request: &JupyterMessage, replies: &mut RouterSendConnection) {
    let kind = &request.header.msg_type;
    tracing::warn!("{socket}: unknown message type `{kind}`");
    if let JupyterMessageContent::DebugRequest(DebugRequest { content }) = &request.content {
        // The debugger's own protocol, inside Jupyter's.
        let content = json!({
            "type": "response", "success": false, "request_seq": content["seq"],
            "command": content["command"], "message": "this kernel has no debugger",
        });
        reply(replies, DebugReply { content }.as_child_of(request)).await;
    } else if let Some(name) = kind.strip_suffix("_request") {
        let evalue = format!("this kernel does not know `{kind}`");
        let content = json!({"status": "error", "ename": "NotSupported", "evalue": evalue, "traceback": []});
        reply(replies, UnknownMessage { msg_type: format!("{name}_reply"), content }.as_child_of(request))
            .await;
    }
}

/// Reads requests into a bounded queue, until the queue's receiver is dropped.
pub async fn read_requests(mut connection: RouterRecvConnection, requests: mpsc::Sender<Received>) {
    loop {
        let received = receive(&mut connection).await;
        let pause = matches!(received, Err(ReceiveError::Socket(_)));
        if requests.send(received).await.is_err() {
            return;
        }
        if pause {
            // A socket that keeps failing must not occupy a core.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Sends a reply. A front end that has gone or does not read does not stop the kernel.
pub async fn reply(connection: &mut RouterSendConnection, message: JupyterMessage) {
    let kind = message.header.msg_type.clone();
    within(PATIENCE, &kind, connection.send(stamped(message))).await;
}

/// Answers heartbeats until the kernel ends.
pub async fn answer_heartbeats(mut heartbeat: KernelHeartbeatConnection) {
    loop {
        if let Err(error) = heartbeat.single_heartbeat().await {
            tracing::debug!("heartbeat: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
