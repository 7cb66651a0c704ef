use partita_wire::pool::master_client::MasterClient;
use partita_wire::pool::{BlobRequest, Chunk};
use partita_wire::{MESSAGE_BYTES, Token};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// The channel to the master; cheap to clone.
#[derive(Clone)]
pub(super) struct MasterChannel {
    pub(super) channel: Channel,
    pub(super) token: Option<Token>,
}

impl MasterChannel {
    /// A client that sends the token with every call.
    pub fn client(&self) -> MasterClient<InterceptedService<Channel, impl Interceptor + Clone>> {
        MasterClient::with_interceptor(self.channel.clone(), Token::send(self.token.clone()))
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES)
    }

    /// Fetches a frame that a session has sent ahead.
    pub async fn blob(&self, request: BlobRequest) -> Result<Streaming<Chunk>, Status> {
        Ok(self.client().get_blob(request).await?.into_inner())
    }
}
