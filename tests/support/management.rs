//! RabbitMQ's management API over a plain socket: what a test wants to arrange or look at behind umbel's back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// All that need not be written as `%XX` in a part of a URL.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A name as one part of the path of a URL: `/a b` is `%2Fa%20b`.
pub fn encoded(name: &str) -> String {
    utf8_percent_encode(name, PART).to_string()
}

/// The management API of one node, as its user `guest`.
#[derive(Clone, Copy, Debug)]
pub struct Management {
    /// The port.
    pub port: u16,
}

impl Management {
    /// The API that listens on this port of the loopback interface.
    pub fn on(port: u16) -> Self {
        Self { port }
    }

    /// Asks for `path` (below `/api/`); the body of the answer, or what went wrong.
    pub fn try_request(self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self
            .exchange(method, path, body)
            .map_err(|error| error.to_string())?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| format!("no HTTP: {answer:?}"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            return Err(format!("{method} /api/{path}: {status} {body}"));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(body).map_err(|error| format!("{error} in {body}"))
    }

    /// Asks for `path` (below `/api/`) and panics when the answer is not a success.
    #[track_caller]
    pub fn request(self, method: &str, path: &str, body: &Value) -> Value {
        self.try_request(method, path, body)
            .unwrap_or_else(|error| panic!("management API: {error}"))
    }

    /// Reads `path`.
    #[track_caller]
    pub fn get(self, path: &str) -> Value {
        self.request("GET", path, &Value::Null)
    }

    /// Creates a virtual host in which `guest` may do everything.
    pub fn create_vhost(self, name: &str) {
        let name = encoded(name);
        self.request("PUT", &format!("vhosts/{name}"), &json!({}));
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        self.request("PUT", &format!("permissions/{name}/guest"), &all);
    }

    fn exchange(self, method: &str, path: &str, body: &Value) -> std::io::Result<String> {
        let limit = Duration::from_secs(10);
        let mut socket =
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], self.port)), limit)?;
        socket.set_read_timeout(Some(limit))?;
        socket.set_write_timeout(Some(limit))?;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let login = base64::engine::general_purpose::STANDARD.encode("guest:guest");
        // HTTP/1.0: the answer ends with the connection and is never chunked.
        let request = format!(
            "{method} /api/{path} HTTP/1.0\r\nAuthorization: Basic {login}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
