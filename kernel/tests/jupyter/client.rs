//! A front end for the tests: starts the real kernel and talks to its real sockets.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jupyter_protocol::{
    ConnectionInfo, ExecuteReply, ExecuteRequest, ExecutionState, InterruptRequest, JupyterMessage,
    JupyterMessageContent, Stdio, Transport,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, ClientShellConnection, ClientStdinConnection,
    create_client_control_connection, create_client_iopub_connection,
    create_client_shell_connection_with_identity, create_client_stdin_connection_with_identity,
    peer_identity_for_session,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A guard against waiting for ever, far beyond any normal duration.
const GUARD: Duration = Duration::from_secs(120);

/// Awaits, and reports what never came.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(GUARD, future).await.unwrap_or_else(|_| panic!("{what}: not within {GUARD:?}"))
}

/// A running kernel and a front end connected to it. The process is killed on drop.
pub struct Kernel {
    pub process: Child,
    pub info: ConnectionInfo,
    pub shell: ClientShellConnection,
    pub control: ClientControlConnection,
    pub iopub: ClientIoPubConnection,
    pub stdin: ClientStdinConnection,
    pub session: String,
    _directory: TempDir,
}

impl Kernel {
    pub async fn start() -> Self {
        Self::start_with(Transport::TCP, &[]).await
    }

    /// Starts over with other ports if another process took one meanwhile.
    pub async fn start_with(transport: Transport, environment: &[(&str, String)]) -> Self {
        loop {
            if let Some(kernel) = within("start", Self::try_start(&transport, environment)).await {
                return kernel;
            }
        }
    }

    async fn try_start(transport: &Transport, environment: &[(&str, String)]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (info, listeners) = connection_info(transport, &directory).await;
        let file = directory.path().join("kernel.json");
        std::fs::write(&file, serde_json::to_string(&info).unwrap()).unwrap();
        drop(listeners);
        let mut command = kernel_command();
        command.arg("-f").arg(&file).envs(environment.iter().cloned()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let session = uuid::Uuid::new_v4().to_string();
        let connect = async {
            let identity = peer_identity_for_session(&session).unwrap();
            let mut iopub = create_client_iopub_connection(&info, "", &session).await.unwrap();
            let welcome = iopub.read().await.unwrap();
            assert!(matches!(welcome.content, JupyterMessageContent::IoPubWelcome(_)), "{welcome:?}");
            // The same identity on both sockets: the kernel asks the client that sent the cell.
            let stdin = create_client_stdin_connection_with_identity(&info, &session, identity.clone());
            let stdin = stdin.await.unwrap();
            let shell =
                create_client_shell_connection_with_identity(&info, &session, identity).await.unwrap();
            let control = create_client_control_connection(&info, &session).await.unwrap();
            (shell, control, iopub, stdin)
        };
        let (shell, control, iopub, stdin) = tokio::select! {
            connected = connect => connected,
            _ = process.wait() => return None,
        };
        Some(Self { process, info, shell, control, iopub, stdin, session, _directory: directory })
    }

    /// Sends a request and returns its id.
    pub async fn send(&mut self, content: impl Into<JupyterMessageContent>) -> String {
        let message = JupyterMessage::new(content, None);
        let id = message.header.msg_id.clone();
        self.shell.send(message).await.unwrap();
        id
    }

    /// The reply to a request. Replies come in the order of the requests.
    pub async fn reply(&mut self, id: &str) -> JupyterMessageContent {
        let reply = within("reply", self.shell.read()).await.unwrap();
        assert_eq!(parent_id(&reply), Some(id));
        reply.content
    }

    pub async fn execute_reply(&mut self, id: &str) -> ExecuteReply {
        match self.reply(id).await {
            JupyterMessageContent::ExecuteReply(reply) => reply,
            other => panic!("not an execute_reply: {other:?}"),
        }
    }

    /// The messages on iopub caused by a request, between its busy and its idle.
    pub async fn published(&mut self, id: &str) -> Vec<JupyterMessageContent> {
        assert_eq!(state(&self.next_published(id).await), Some(ExecutionState::Busy));
        let mut published = Vec::new();
        loop {
            let content = self.next_published(id).await;
            if state(&content) == Some(ExecutionState::Idle) {
                return published;
            }
            published.push(content);
        }
    }

    /// The next message on iopub for the request. Only control requests may be busy in between.
    pub async fn next_published(&mut self, id: &str) -> JupyterMessageContent {
        loop {
            let message = within("iopub", self.iopub.read()).await.unwrap();
            if parent_id(&message) == Some(id) {
                return message.content;
            }
            assert!(state(&message.content).is_some(), "{message:?}");
        }
    }

    /// Runs a cell and returns its reply and outputs.
    pub async fn run(&mut self, code: &str) -> (ExecuteReply, Vec<JupyterMessageContent>) {
        self.execute(ExecuteRequest::new(code.to_owned())).await
    }

    pub async fn execute(&mut self, request: ExecuteRequest) -> (ExecuteReply, Vec<JupyterMessageContent>) {
        let id = self.send(request).await;
        (self.execute_reply(&id).await, self.published(&id).await)
    }

    /// Runs a cell that must succeed and returns its value as text.
    pub async fn value(&mut self, code: &str) -> String {
        let (reply, outputs) = self.run(code).await;
        assert!(reply.error.is_none(), "{code}: {:?}", reply.error);
        let result = outputs.iter().find_map(|content| match content {
            JupyterMessageContent::ExecuteResult(result) => Some(&result.data),
            _ => None,
        });
        let data = serde_json::to_value(result.unwrap_or_else(|| panic!("{code}: no value"))).unwrap();
        data["text/plain"].as_str().unwrap().to_owned()
    }

    /// The next message on iopub that satisfies `wanted`; others are skipped.
    pub async fn publishes(
        &mut self,
        what: &str,
        wanted: impl Fn(&JupyterMessageContent) -> bool,
    ) -> JupyterMessage {
        loop {
            let message = within(what, self.iopub.read()).await.unwrap();
            if wanted(&message.content) {
                return message;
            }
        }
    }

    pub async fn interrupt(&mut self) {
        self.control.send(InterruptRequest {}.into()).await.unwrap();
        let reply = within("interrupt_reply", self.control.read()).await.unwrap();
        assert!(matches!(reply.content, JupyterMessageContent::InterruptReply(_)), "{reply:?}");
    }

    pub async fn exited(&mut self) -> ExitStatus {
        within("exit", self.process.wait()).await.unwrap()
    }

    pub fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.process.id().unwrap()).unwrap();
        // SAFETY: the process is our child and has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }
}

/// `partita kernel`, without the environment's setting of its parent.
pub fn kernel_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    // Without the history of the person who runs the tests.
    command.arg("kernel").env_remove("JPY_PARENT_PID").env("PARTITA_HISTORY", "");
    command
}

/// A connection file for a kernel that nobody will talk to.
pub async fn connection_file(directory: &TempDir) -> PathBuf {
    let (info, _listeners) = connection_info(&Transport::IPC, directory).await;
    let file = directory.path().join("kernel.json");
    std::fs::write(&file, serde_json::to_string(&info).unwrap()).unwrap();
    file
}

/// Ports outside the range that systems assign automatically, and never the same ones twice: a port of
/// that range could belong to another test's connection before the kernel listens on it.
async fn free_ports(ip: IpAddr, count: usize) -> Vec<tokio::net::TcpListener> {
    static NEXT: LazyLock<AtomicU32> =
        LazyLock::new(|| AtomicU32::new(uuid::Uuid::new_v4().as_fields().0 % 15_000));
    let mut listeners = Vec::new();
    while listeners.len() < count {
        let port = 15_000 + (NEXT.fetch_add(1, Ordering::Relaxed) % 15_000) as u16;
        listeners.extend(tokio::net::TcpListener::bind((ip, port)).await);
    }
    listeners
}

async fn connection_info(
    transport: &Transport,
    directory: &TempDir,
) -> (ConnectionInfo, Vec<tokio::net::TcpListener>) {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (ip, ports, listeners) = match transport {
        Transport::TCP => {
            let listeners = free_ports(localhost, 5).await;
            let ports: Vec<u16> =
                listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
            (localhost.to_string(), ports, listeners)
        }
        Transport::IPC => {
            let path: PathBuf = directory.path().join("socket");
            (path.to_str().unwrap().to_owned(), (1..=5).collect(), Vec::new())
        }
    };
    let info = ConnectionInfo {
        transport: transport.clone(),
        ip,
        shell_port: ports[0],
        iopub_port: ports[1],
        stdin_port: ports[2],
        control_port: ports[3],
        hb_port: ports[4],
        key: uuid::Uuid::new_v4().to_string(),
        signature_scheme: "hmac-sha256".to_owned(),
        kernel_name: None,
    };
    (info, listeners)
}

pub fn parent_id(message: &JupyterMessage) -> Option<&str> {
    message.parent_header.as_ref().map(|header| header.msg_id.as_str())
}

pub fn state(content: &JupyterMessageContent) -> Option<ExecutionState> {
    match content {
        JupyterMessageContent::Status(status) => Some(status.execution_state.clone()),
        _ => None,
    }
}

/// The text of the stream messages, with neighbours of the same stream joined.
pub fn streams(outputs: &[JupyterMessageContent]) -> Vec<(&'static str, String)> {
    let mut streams: Vec<(&'static str, String)> = Vec::new();
    for content in outputs {
        let JupyterMessageContent::StreamContent(stream) = content else { continue };
        let name = match stream.name {
            Stdio::Stdout => "stdout",
            Stdio::Stderr => "stderr",
        };
        match streams.last_mut() {
            Some((last, text)) if *last == name => text.push_str(&stream.text),
            _ => streams.push((name, stream.text.clone())),
        }
    }
    streams
}
