/* SPDX-License-Identifier: MIT */
/*
 * WAITID.
 */
#include "runner/scenario.h"

#include <sys/wait.h>

static struct io_uring_sqe *wait_for(struct ring *r, idtype_t type, id_t id,
				     siginfo_t *info, int options)
{
	struct io_uring_sqe *sqe = sqe_new(r, IORING_OP_WAITID, (int)id, NULL,
					   type, (uintptr_t)info);

	sqe->file_index = (uint32_t)options;
	return sqe;
}

static pid_t child_exits(int code)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("no child");
	if (!pid)
		_exit(code);
	return pid;
}

static pid_t child_stays(void)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("no child");
	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void note_info(const siginfo_t *info, pid_t pid)
{
	note("signo %d code %d status %d %s", info->si_signo, info->si_code,
	     info->si_status,
	     info->si_pid == pid ? "the child"
	     : info->si_pid	 ? "?"
				 : "nobody");
}

static void exited(struct ring *r)
{
	siginfo_t info = {0};
	pid_t pid = child_exits(5);

	wait_for(r, P_PID, (id_t)pid, &info, WEXITED);
	go(r);
	note_info(&info, pid);
	wait_for(r, P_PID, (id_t)pid, &info, WEXITED);
	go(r);
	pid = child_exits(6);
	memset(&info, 0, sizeof(info));
	wait_for(r, P_ALL, 0, &info, WEXITED);
	go(r);
	note_info(&info, pid);
	pid = child_exits(7);
	wait_for(r, P_PID, (id_t)pid, NULL, WEXITED);
	go(r);
	pid = child_exits(8);
	wait_for(r, P_ALL, 0, &info, WEXITED | WNOWAIT);
	go(r);
	note_info(&info, pid);
	wait_for(r, P_ALL, 0, &info, WEXITED)->flags = IOSQE_ASYNC;
	go(r);
	note_info(&info, pid);
}

static void waited_for(struct ring *r)
{
	siginfo_t info = {0};
	pid_t pid = child_stays();

	wait_for(r, P_PID, (id_t)pid, &info, WEXITED);
	submit(r);
	quiet(r);
	kill(pid, SIGKILL);
	reap(r, 1);
	note_info(&info, pid);
	pid = child_stays();
	wait_for(r, P_ALL, 0, &info, WEXITED | WSTOPPED);
	submit(r);
	kill(pid, SIGSTOP);
	reap(r, 1);
	note_info(&info, pid);
	wait_for(r, P_ALL, 0, &info, WEXITED | WNOHANG);
	go(r);
	note_info(&info, pid);
	kill(pid, SIGKILL);
	wait_for(r, P_ALL, 0, &info, WEXITED);
	go(r);
	note_info(&info, pid);
	wait_for(r, P_ALL, 0, &info, WEXITED | WNOHANG);
	go(r);
}

static void canceled(struct ring *r)
{
	siginfo_t info = {0};
	pid_t pid = child_stays();

	wait_for(r, P_ALL, 0, &info, WEXITED)->flags = IOSQE_IO_LINK;
	sqe_nop(r);
	submit(r);
	quiet(r);
	sqe_cancel(r, 1, 0)->user_data = 50;
	submit(r);
	reap_sorted(r, 3);
	note_info(&info, pid);
	kill(pid, SIGKILL);
	wait_for(r, P_PID, (id_t)pid, &info, WEXITED)->user_data = 60;
	submit(r);
	reap(r, 1);
	note_info(&info, pid);
}

static void errors(struct ring *r)
{
	siginfo_t info = {0};
	pid_t pid;

	wait_for(r, P_ALL, 0, &info, WEXITED);
	go(r);
	wait_for(r, P_ALL, 0, &info, 0);
	go(r);
	wait_for(r, P_ALL, 0, &info, 0x100);
	go(r);
	wait_for(r, 17, 0, &info, WEXITED);
	go(r);
	wait_for(r, P_PID, 0, &info, WEXITED);
	go(r);
	wait_for(r, P_PID, (id_t)-1, &info, WEXITED);
	go(r);
	wait_for(r, P_PIDFD, (id_t)-1, &info, WEXITED);
	go(r);
	wait_for(r, P_PIDFD, (id_t)r->fd, &info, WEXITED);
	go(r);
	wait_for(r, P_PGID, (id_t)-1, &info, WEXITED);
	go(r);
	pid = child_exits(1);
	wait_for(r, P_PID, (id_t)pid, nowhere(), WEXITED);
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->op_flags = 1;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->addr = 1;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->buf_index = 1;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->addr3 = 1;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->ioprio = 1;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->flags = IOSQE_BUFFER_SELECT;
	go(r);
	wait_for(r, P_ALL, 0, &info, WEXITED)->flags = IOSQE_FIXED_FILE;
	go(r);
}

static const struct scenario rows[] = {
	SCENARIO(exited, NULL, .modes = MODES_ALL),
	SCENARIO(waited_for, NULL),
	SCENARIO(canceled, NULL),
	SCENARIO(errors, "P13"),
};

FAMILY(waitid, rows);
