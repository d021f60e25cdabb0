/**
 * How many connections may wait to be accepted; the system's own maximum bounds it. As many as `limits.maxConnections`
 * by default: with Node's 511, a thousand clients that start together would meet EAGAIN on a unix socket, and wait for a
 * retransmission on TCP.
 */
export const LISTEN_BACKLOG = 1024;
