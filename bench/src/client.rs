//! An HTTP/1.1 client that costs as little as can be: it shares the processors with the server
//! that it loads. One request at a time, kept-alive connections, answers with a length.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most headers in an answer.
const MAX_HEADERS: usize = 48;
/// Bytes that most answers fit into.
const USUAL_ANSWER: usize = 4096;

/// Why an exchange came to nothing. The connection is of no use afterwards.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// The connection failed, or ended before the answer did.
    Io(std::io::Error),
    /// The answer is not HTTP, or of a form that this client does not read.
    Unreadable(&'static str),
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "connection: {error}"),
            Self::Unreadable(what) => f.write_str(what),
        }
    }
}

/// An answer.
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: &'a [u8],
    /// The server closes the connection after it.
    pub(crate) closes: bool,
}

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, HttpError> {
        let stream = TcpStream::connect(address).await.map_err(HttpError::Io)?;
        stream.set_nodelay(true).map_err(HttpError::Io)?;
        Ok(Self { stream, buffer: Vec::with_capacity(USUAL_ANSWER) })
    }

    /// Sends a whole request and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, HttpError> {
        self.stream.write_all(request).await.map_err(HttpError::Io)?;
        self.buffer.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        let end = head.length.checked_add(head.body_length).ok_or(HttpError::Unreadable("too long"))?;
        while self.buffer.len() < end {
            self.read_more().await?;
        }
        // Nothing was asked that more could be the answer to.
        if self.buffer.len() > end {
            return Err(HttpError::Unreadable("more bytes than the answer has"));
        }
        let body = self.buffer.get(head.length..end).unwrap_or_default();
        Ok(Answer { status: head.status, body, closes: head.closes })
    }

    async fn read_more(&mut self) -> Result<(), HttpError> {
        self.buffer.reserve(USUAL_ANSWER);
        match self.stream.read_buf(&mut self.buffer).await.map_err(HttpError::Io)? {
            0 => Err(HttpError::Io(std::io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

/// What the head of an answer says of the rest.
struct Head {
    status: u16,
    length: usize,
    body_length: usize,
    closes: bool,
}

impl Head {
    /// `None`: it is not complete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, HttpError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(HttpError::Unreadable("not an HTTP answer")),
        };
        let mut body_length = None;
        let mut closes = false;
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                body_length = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
            } else if header.name.eq_ignore_ascii_case("connection") {
                closes = header.value.eq_ignore_ascii_case(b"close");
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(HttpError::Unreadable("the answer is chunked"));
            }
        }
        let body_length = body_length.ok_or(HttpError::Unreadable("the answer has no content-length"))?;
        Ok(Some(Self { status: response.code.unwrap_or_default(), length, body_length, closes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn exchange(pieces: &'static [&'static str]) -> Result<(u16, Vec<u8>, bool), String> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let client = async {
            let mut connection = Connection::open(address).await.unwrap();
            let answer = connection.exchange(b"ping").await.map_err(|error| error.to_string())?;
            Ok((answer.status, answer.body.to_vec(), answer.closes))
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_read_whole() {
        let answer = exchange(&["HTTP/1.1 20", "0 OK\r\nContent-Length: 5\r\n\r", "\nhel", "lo"]).await;
        assert_eq!(answer, Ok((200, b"hello".to_vec(), false)));
    }

    #[tokio::test]
    async fn the_end_of_the_connection_is_seen() {
        let answer = exchange(&["HTTP/1.1 503 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]).await;
        assert_eq!(answer, Ok((503, Vec::new(), true)));
        assert!(exchange(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"]).await.is_err());
    }

    #[tokio::test]
    async fn what_it_cannot_read_it_says() {
        let chunked = exchange(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]).await;
        assert_eq!(chunked.unwrap_err(), "the answer is chunked");
        assert!(exchange(&["HTTP/1.1 200 OK\r\n\r\n"]).await.is_err());
        assert!(exchange(&["hello\r\n\r\n"]).await.is_err());
    }
}
