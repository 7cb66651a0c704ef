use jupyter_protocol::{JupyterMessage, JupyterMessageContent, Status};
use jupyter_zmq_client::RouterSendConnection;
use tokio::sync::mpsc;

use super::complete::{complete, inspect, is_complete};
use super::front_end::FrontEnd;
use super::info::kernel_info_reply;
use super::sockets::{Received, reply};

/// The target with which a page that is opened or reloaded asks for the existing widgets.
const WIDGET_CONTROL: &str = "jupyter.widget.control";

/// Queues requests for the shell, except those that must not wait for the running cell: messages of open
/// comms (otherwise a widget could not stop what it shows), questions about the code that the person is
/// writing, and what a page asks when it is opened (otherwise it would show nothing until the cell has
/// ended). Opening a comm is queued, because an earlier cell may define who answers; only the comm by
/// which a page asks for widgets is answered by the library at once.
pub async fn divert(
    mut received: mpsc::Receiver<Received>,
    shell: mpsc::Sender<Received>,
    front_end: FrontEnd,
    mut replies: RouterSendConnection,
) {
    while let Some(received) = received.recv().await {
        match received {
            Ok(request) if front_end.comms.has(&request) || asks_for_widgets(&request) => {
                // A page that is opened together with the kernel asks for the timelines saved in its
                // notebook, which the library knows. Its next questions go to what is opened here.
                if asks_for_widgets(&request) {
                    front_end.worker.wait_until_started().await;
                }
                front_end.publisher.publish(Status::busy(), Some(&request)).await;
                front_end.deliver_comm(&request).await;
                settle(&front_end, &request).await;
            }
            Ok(request) if is_question(&request) && cell_runs(&front_end).await => {
                front_end.publisher.publish(Status::busy(), Some(&request)).await;
                if let Some(answer) = answer(&front_end, &request).await {
                    reply(&mut replies, answer).await;
                }
                settle(&front_end, &request).await;
            }
            received => {
                if shell.send(received).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Duplicates the sender for a second task.
pub fn share(replies: &RouterSendConnection) -> RouterSendConnection {
    let RouterSendConnection { socket, mac, session_id } = replies;
    RouterSendConnection { socket: socket.clone(), mac: mac.clone(), session_id: session_id.clone() }
}

fn is_question(request: &JupyterMessage) -> bool {
    matches!(
        request.content,
        JupyterMessageContent::CompleteRequest(_)
            | JupyterMessageContent::InspectRequest(_)
            | JupyterMessageContent::IsCompleteRequest(_)
            | JupyterMessageContent::KernelInfoRequest(_)
            | JupyterMessageContent::CommInfoRequest(_)
    )
}

fn asks_for_widgets(request: &JupyterMessage) -> bool {
    matches!(&request.content, JupyterMessageContent::CommOpen(open) if open.target_name == WIDGET_CONTROL)
}

async fn cell_runs(front_end: &FrontEnd) -> bool {
    let running = front_end.running.lock().await;
    running
        .as_ref()
        .is_some_and(|running| matches!(running.content, JupyterMessageContent::ExecuteRequest(_)))
}

/// Answers a question that does not have to wait for a cell; `None` for other requests.
pub async fn answer(front_end: &FrontEnd, request: &JupyterMessage) -> Option<JupyterMessage> {
    let worker = &front_end.worker;
    let answer = match &request.content {
        JupyterMessageContent::CompleteRequest(place) => {
            let place = place.clone();
            worker.ask(move |interpreter| complete(&place, interpreter)).await.as_child_of(request)
        }
        JupyterMessageContent::InspectRequest(place) => {
            let place = place.clone();
            worker.ask(move |interpreter| inspect(&place, interpreter)).await.as_child_of(request)
        }
        JupyterMessageContent::IsCompleteRequest(code) => is_complete(code).as_child_of(request),
        JupyterMessageContent::KernelInfoRequest(_) => kernel_info_reply(request),
        JupyterMessageContent::CommInfoRequest(wanted) => {
            front_end.comms.info(wanted.target_name.as_deref()).as_child_of(request)
        }
        _ => return None,
    };
    Some(answer)
}

/// Ends the request and restores the kernel's status.
async fn settle(front_end: &FrontEnd, request: &JupyterMessage) {
    // Held to the end, so that a cell that ends meanwhile publishes its status afterwards.
    let running = front_end.running.lock().await;
    front_end.publisher.publish(Status::idle(), Some(request)).await;
    if let Some(running) = &*running {
        // Front ends take the last status as the kernel's.
        front_end.publisher.publish(Status::busy(), Some(running)).await;
    }
}
