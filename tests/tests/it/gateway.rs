//! The JSON gateway: forms of input, exact output, errors, streams, WebSocket, gRPC-Web, both HTTP versions.

mod golden;
mod grpc_web;
mod input;
mod streams;
mod websocket;
