use jupyter_protocol::{JupyterMessage, JupyterMessageContent, Status};
use jupyter_zmq_client::RouterSendConnection;
use tokio::sync::mpsc;

use super::comms;
use super::complete::{complete, inspect, is_complete};
use super::front_end::FrontEnd;
use super::info::kernel_info_reply;
use super::sockets::{Received, reply};

/// The target by which a page that comes, or comes again, asks for the widgets there are.
const WIDGET_CONTROL: &str = "jupyter.widget.control";

/// Passes requests on to the shell, but for those that need not wait for the cell that runs there: the
/// messages of open comms, or a widget could not stop what it shows; questions about the code that the
/// person writes meanwhile; and what a page asks when it comes, which would show nothing until the cell has
/// ended. A comm is opened in turn, because a cell before it may say who answers; the one by which a page
/// asks for widgets is answered by the library.
pub async fn divert(
    mut received: mpsc::Receiver<Received>,
    shell: mpsc::Sender<Received>,
    front_end: FrontEnd,
    mut replies: RouterSendConnection,
) {
    while let Some(received) = received.recv().await {
        match received {
            Ok(request) if front_end.comms.has(&request) || asks_for_widgets(&request) => {
                // A page that comes with the kernel asks for the timelines that its notebook has saved, of which
                // the library knows. What it asks next is asked of what opens here.
                if asks_for_widgets(&request) {
                    front_end.worker.up().await;
                }
                front_end.publisher.publish(Status::busy(), Some(&request)).await;
                comms::deliver(&front_end, &request).await;
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

/// The same way out, for two tasks.
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

/// Answers a question that no cell has to be waited for; `None` for what is none.
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

/// The request is done; the kernel is as busy as it was.
async fn settle(front_end: &FrontEnd, request: &JupyterMessage) {
    // Held until the end: a cell that ends meanwhile says so after it.
    let running = front_end.running.lock().await;
    front_end.publisher.publish(Status::idle(), Some(request)).await;
    if let Some(running) = &*running {
        // Front ends take the last status for the kernel's.
        front_end.publisher.publish(Status::busy(), Some(running)).await;
    }
}
