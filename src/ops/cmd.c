// SPDX-License-Identifier: MIT
/*
 * URING_CMD: the commands of sockets.
 *
 * Theory: each command of sockets is one system call, which doesn't wait and is
 * made immediately. Commands of devices (passthrough) have no system call and
 * are refused as by a file without commands; /dev/null accepts all commands and
 * does nothing, as in the kernel.
 *
 * As in the kernel, only internet protocols report how much is queued, and
 * options are read only at the level SOL_SOCKET.
 *
 * Locks: the ring lock.
 */
#include "ops/cmd.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/sys.h"
#include "core/ctx.h"
#include "core/req.h"

struct cmd_cmd {
	uint32_t command;
	uint32_t level;
	uint32_t optname;
	uint32_t optlen;
	uint64_t optval;
};

int cmd_prep(struct req *req, const struct io_uring_sqe *sqe)
{
	struct cmd_cmd *c = req_cmd(req, struct cmd_cmd);

	if (sqe->pad1_ || sqe->op_flags & ~IORING_URING_CMD_FIXED)
		return -EINVAL;
	if (sqe->flags & IOSQE_BUFFER_SELECT)
		return -EINVAL; /* a multishot's */
	*c = (struct cmd_cmd){
		.command = sqe->cmd_op,
		.level = sqe->level,
		.optname = sqe->optname,
		.optlen = sqe->optlen,
		.optval = sqe->optval,
	};
	return 0;
}

static long bytes_queued(int fd, int domain, unsigned long which)
{
	int bytes = 0;
	long err;

	if (domain != AF_INET && domain != AF_INET6)
		return -EOPNOTSUPP;
	err = SYS_3(SYS_ioctl, fd, which, &bytes);
	return err < 0 ? err : bytes;
}

static long option_read(int fd, const struct cmd_cmd *c)
{
	socklen_t bytes = c->optlen;
	long err;

	if (c->level != SOL_SOCKET)
		return -EOPNOTSUPP;
	err = SYS_5(SYS_getsockopt, fd, c->level, c->optname, c->optval,
		    &bytes);
	return err < 0 ? err : (long)bytes;
}

static long socket_command(int fd, int domain, const struct cmd_cmd *c)
{
	switch (c->command) {
	case SOCKET_URING_OP_SIOCINQ:
		return bytes_queued(fd, domain, SIOCINQ);
	case SOCKET_URING_OP_SIOCOUTQ:
		return bytes_queued(fd, domain, SIOCOUTQ);
	case SOCKET_URING_OP_GETSOCKOPT:
		return option_read(fd, c);
	case SOCKET_URING_OP_SETSOCKOPT:
		return SYS_5(SYS_setsockopt, fd, c->level, c->optname,
			     c->optval, c->optlen);
	case SOCKET_URING_OP_TX_TIMESTAMP:
		return -EINVAL; /* it is a multishot, which prep refuses */
	default:
		return -EOPNOTSUPP;
	}
}

static bool is_dev_null(int fd)
{
	struct stat st;

	return SYS_2(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3);
}

int cmd_issue(struct req *req, uint32_t issue_flags)
{
	const struct cmd_cmd *c = req_cmd(req, struct cmd_cmd);
	int fd = req_io_fd(req), domain = 0;
	socklen_t bytes = sizeof(domain);
	long outcome = SYS_5(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain,
			     &bytes);

	(void)issue_flags;
	if (outcome != -EBADF && req->ctx->flags & IORING_SETUP_IOPOLL)
		outcome = -EOPNOTSUPP;
	else if (outcome == -ENOTSOCK)
		outcome = is_dev_null(fd) ? 0 : -EOPNOTSUPP;
	else if (!outcome &&
		 abi_has(req->ctx->abi.answers, ABI_SOCKET_COMMANDS))
		outcome = socket_command(fd, domain, c);
	else if (!outcome)
		outcome = -EOPNOTSUPP;
	req->res = (int32_t)outcome;
	return ISSUE_DONE;
}
