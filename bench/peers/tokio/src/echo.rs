//! The echo servers. Each has a buffer of `size` bytes, for every connection.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::task::spawn;

pub async fn tcp(port: u16, size: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    let listener = socket.listen(4096).unwrap();
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.set_nodelay(true).unwrap();
        spawn(async move {
            let mut buffer = vec![0; size];
            while let Ok(n @ 1..) = connection.read(&mut buffer).await {
                if connection.write_all(&buffer[..n]).await.is_err() {
                    return;
                }
            }
        });
    }
}

pub async fn udp(port: u16, size: usize) {
    let socket = UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let mut buffer = vec![0; size];
    loop {
        let (n, from) = socket.recv_from(&mut buffer).await.unwrap();
        socket.send_to(&buffer[..n], from).await.unwrap();
    }
}
