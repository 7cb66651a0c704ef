use jupyter_protocol::{
    InterruptReply, JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply, Status,
};
use jupyter_zmq_client::{KernelControlConnection, RouterSendConnection};
use tokio::sync::mpsc;

use super::info::kernel_info_reply;
use super::iopub::Publisher;
use super::lifetime::LifetimeEvent;
use super::sending::WhenFull;
use super::sockets::{accept, read_requests, refuse, reply};

/// How many control requests may wait; beyond that the socket is not read.
const QUEUE: usize = 64;

/// Answers the control socket. It must work while a cell runs and floods the front end, so nothing here
/// waits for a cell or for room on iopub.
pub async fn serve(
    control: KernelControlConnection,
    publisher: Publisher,
    lifetime: mpsc::Sender<LifetimeEvent>,
) {
    let (mut replies, requests) = control.split();
    let (queue, mut received) = mpsc::channel(QUEUE);
    tokio::spawn(read_requests(requests, queue));
    while let Some(received) = received.recv().await {
        if let Some(request) = accept("control", received, &mut replies, (&publisher, WhenFull::Skip)).await {
            publisher.publish_if_room(Status::busy(), &request);
            answer(&request, &mut replies, &publisher, &lifetime).await;
            publisher.publish_if_room(Status::idle(), &request);
        }
    }
}

async fn answer(
    request: &JupyterMessage,
    replies: &mut RouterSendConnection,
    publisher: &Publisher,
    lifetime: &mpsc::Sender<LifetimeEvent>,
) {
    match &request.content {
        JupyterMessageContent::KernelInfoRequest(_) => {
            reply(replies, kernel_info_reply(request)).await;
        }
        JupyterMessageContent::InterruptRequest(_) => {
            // The receiver is dropped only when the kernel ends; then there is nothing left to stop.
            let _ = lifetime.send(LifetimeEvent::Interrupt).await;
            reply(replies, InterruptReply::new().as_child_of(request)).await;
        }
        JupyterMessageContent::ShutdownRequest(shutdown) => {
            let answer = ShutdownReply { restart: shutdown.restart, status: ReplyStatus::Ok, error: None };
            reply(replies, answer.as_child_of(request)).await;
            publisher.publish_if_room(answer, request);
            let _ = lifetime.send(LifetimeEvent::Leave("a front end requested it")).await;
        }
        _ => refuse("control", request, replies).await,
    }
}
