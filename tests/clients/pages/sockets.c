// SPDX-License-Identifier: MIT
/* io_uring_prep_socket(3), _accept, _connect, _send, _recv, _sendmsg, _recvmsg,
 * _send_zc, _shutdown */
#include "page.h"

int main(void)
{
	char text[] = "0123456789", a[32] = "";
	struct iovec iov = {text, 10}, to = {a, sizeof(a)};
	struct msghdr out = {.msg_iov = &iov, .msg_iovlen = 1};
	struct msghdr in = {.msg_iov = &to, .msg_iovlen = 1};
	struct sockaddr_in address;
	int server = listener(&address), client, peer;

	begin(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	PREP("socket", socket, AF_INET, SOCK_STREAM, 0, 0);
	client = go_fd("socket");
	PREP("connect", connect, client, (struct sockaddr *)&address,
	     sizeof(address));
	go();
	PREP("accept", accept, server, NULL, NULL, SOCK_CLOEXEC);
	peer = go_fd("accept");
	PREP("send", send, client, text, 10, 0);
	go();
	PREP("recv", recv, peer, a, 4, 0);
	go();
	PREP("recv, all of it", recv, peer, a + 4, 6, MSG_WAITALL);
	go();
	printf("%s\n", a);
	PREP("recv, no waiting", recv, peer, a, 4, MSG_DONTWAIT);
	go();
	PREP("sendmsg", sendmsg, client, &out, 0);
	go();
	PREP("recvmsg", recvmsg, peer, &in, 0);
	go();
	PREP("send_zc", send_zc, client, text, 10, 0, 0);
	must(io_uring_submit(&ring));
	reap();
	reap();
	PREP("recv", recv, peer, a, 32, 0);
	go();
	PREP("shutdown", shutdown, client, SHUT_WR);
	go();
	PREP("recv at the end", recv, peer, a, 32, 0);
	go();
	PREP("send after shutdown", send, client, text, 10, MSG_NOSIGNAL);
	go();
	PREP("accept of what does not listen", accept, client, NULL, NULL, 0);
	go();
	PREP("recv of a file", recv, scratch_file(), a, 4, 0);
	go();
	io_uring_queue_exit(&ring);
	return 0;
}
