//! A connection as bytes that can be read and written without waiting: bare TCP, or TLS over it.
//!
//! `tokio-rustls` ends with the handshake. After it both halves of a connection and the hub, which asks with pings, write
//! to one session, and its streams would keep the waker of whoever came last alone.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard};

use tokio::net::TcpStream;
use tokio_rustls::rustls::{self, ServerConnection};

/// Bytes that may wait, sealed, for room in the socket. More would hide from us that a client does not read.
const UNSENT: usize = 16 * 1024;

pub struct Transport {
    pub tcp: TcpStream,
    /// Boxed, so that a bare connection takes no room for it.
    tls: Option<Box<Mutex<ServerConnection>>>,
}

impl Transport {
    pub fn bare(tcp: TcpStream) -> Self {
        Self { tcp, tls: None }
    }

    /// After the handshake.
    pub fn tls(tcp: TcpStream, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(UNSENT));
        Self { tcp, tls: Some(Box::new(Mutex::new(session))) }
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What has come, 0 bytes at its end; `WouldBlock` where the socket must become readable first.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut session) = self.session() else { return self.tcp.try_read(buffer) };
        loop {
            match session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Cut off without a goodbye, as browsers do. What came before is framed by HTTP or the websocket.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            session.read_tls(&mut &*self)?;
            let processed = session.process_new_packets();
            // An alert, or an answer to a change of keys. What does not go out now goes with the next write.
            let _ = self.send(&mut session);
            processed.map_err(|error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    /// How much of it was taken; `WouldBlock` where the socket must become writable first.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(mut session) = self.session() else { return self.tcp.try_write_vectored(slices) };
        self.send(&mut session)?;
        let taken = session.writer().write_vectored(slices)?;
        match self.send(&mut session) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Sends what was taken and has not gone out.
    pub fn try_flush(&self) -> io::Result<()> {
        self.session().map_or(Ok(()), |mut session| self.send(&mut session))
    }

    /// Nothing more is written.
    pub fn shut_down(&self) -> io::Result<()> {
        if let Some(mut session) = self.session() {
            session.send_close_notify();
            let _ = self.send(&mut session);
        }
        rustix::net::shutdown(&self.tcp, rustix::net::Shutdown::Write).map_err(io::Error::from)
    }

    fn session(&self) -> Option<MutexGuard<'_, ServerConnection>> {
        self.tls.as_ref().map(|session| session.lock().expect("TLS lock"))
    }

    fn send(&self, session: &mut ServerConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut &*self)?;
        }
        Ok(())
    }
}

/// The sealed bytes themselves.
impl Read for &Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.try_read(buffer)
    }
}

impl Write for &Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.tcp.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
