// SPDX-License-Identifier: MIT
// File system calls and connections by the thousand; prints how many there
// were and a digest of all that was seen, which must not depend on how libuv
// makes its calls.
'use strict';
const fs = require('fs/promises');
const net = require('net');
const path = require('path');
const crypto = require('crypto');

const [directory, count] = [process.argv[2], Number(process.argv[3])];
const seen = new Map();
let calls = 0;

async function call(key, promise) {
	calls++;
	let said;
	try {
		said = await promise;
	} catch (error) {
		said = `${error.code} ${error.syscall}`;
	}
	if (Buffer.isBuffer(said))
		said = crypto.createHash('sha256').update(said).digest('hex');
	else if (said && said.isFile)
		said = `${said.isFile()} ${said.size} ${said.nlink} ` +
			(said.mode & 0o777).toString(8);
	seen.set(key, String(said));
}

async function one(i) {
	const dir = path.join(directory, `d${i % 10}`);
	const name = path.join(dir, `f${i}`);
	const bytes = crypto.createHash('sha256').update(String(i)).digest();
	const data = Buffer.alloc(i * 37 % 20000, bytes);

	await call(`${i} write`, fs.writeFile(name, data, { mode: 0o640 }));
	await call(`${i} append`, fs.appendFile(name, 'end'));
	await call(`${i} read`, fs.readFile(name));
	await call(`${i} stat`, fs.stat(name));
	const file = await fs.open(name, 'r+');
	await call(`${i} fstat`, file.stat());
	await call(`${i} sync`, file.sync());
	await call(`${i} datasync`, file.datasync());
	const part = Buffer.alloc(10);
	await call(`${i} pread`, file.read(part, 0, 10, 3).then(
		r => r.bytesRead + part.toString('hex')));
	await call(`${i} pwrite`, file.write(Buffer.from('abc'), 0, 3, 1).then(
		r => r.bytesWritten));
	await call(`${i} truncate`, file.truncate(i % 50));
	await call(`${i} close`, file.close());
	await call(`${i} link`, fs.link(name, name + '-link'));
	await call(`${i} symlink`, fs.symlink(`f${i}`, name + '-sym'));
	await call(`${i} lstat`, fs.lstat(name + '-sym').then(
		s => s.isSymbolicLink()));
	await call(`${i} rename`, fs.rename(name, name + '-new'));
	await call(`${i} gone`, fs.stat(name));
	await call(`${i} no directory`, fs.mkdir(path.join(name, 'x')));
	await call(`${i} again`, fs.readFile(name + '-new'));
	await call(`${i} unlink`, fs.unlink(name + '-link'));
	await call(`${i} unlink sym`, fs.unlink(name + '-sym'));
	await call(`${i} unlink gone`, fs.unlink(name + '-sym'));
	if (i % 3)
		await call(`${i} unlink new`, fs.unlink(name + '-new'));
}

// Sockets come and go: libuv changes its epoll set through a ring.
async function echo(connections) {
	const server = net.createServer(socket => socket.pipe(socket));

	await new Promise(done => server.listen(0, '127.0.0.1', done));
	await Promise.all(Array.from({ length: connections }, (_, i) =>
		call(`echo ${i}`, new Promise((done, fail) => {
			const socket = net.connect(server.address().port,
				'127.0.0.1', () => socket.end(`hello ${i}`));
			let text = '';

			socket.on('data', data => text += data);
			socket.on('end', () => done(text));
			socket.on('error', fail);
		}))));
	await new Promise(done => server.close(done));
}

async function main() {
	for (let i = 0; i < 10; i++)
		await call(`mkdir ${i}`, fs.mkdir(path.join(directory, `d${i}`)));
	for (let i = 0; i < count; i += 100)
		await Promise.all(Array.from({ length: 100 },
			(_, k) => one(i + k)));
	await echo(100);
	await call('readdir', fs.readdir(path.join(directory, 'd7')).then(
		names => names.sort().join()));
	for (let i = 0; i < 10; i++)
		await call(`rmdir ${i}`, fs.rmdir(path.join(directory, `d${i}`)));

	const text = JSON.stringify([...seen].sort());
	const hash = crypto.createHash('sha256').update(text).digest('hex');
	console.log(`${calls} calls, all seen as ${hash.slice(0, 12)}`);
}

main();
