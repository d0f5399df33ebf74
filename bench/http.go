package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

var httpPart = part{
	name:  "http",
	title: "HTTP client",
	note: `GET of a file of 612 bytes from nginx (one worker) over kept-alive connections, through an http.Client; the client is on
one core, nginx on the other. aiohttp is Debian's, on CPython's own loop and on uvloop.`,
	runs: 5,
	rows: func() []row {
		var rows []row
		for _, concurrency := range []int{1, 64} {
			rows = append(rows, row{fmt.Sprintf("%d at a time", concurrency), httpClients(concurrency), []metric{
				{"us", "µs a request", []target{{peer: "http.Transport", atMost: 0.85}, {peer: "aiohttp", atMost: 0.1}}},
				{"req/s", "requests/s", nil},
			}})
		}
		return rows
	},
}

func httpClients(concurrency int) []contender {
	client := func(requests int, env []string, args ...string) func() (values, error) {
		return func() (values, error) {
			root, err := os.MkdirTemp("", "bench-http-")
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(root)
			if err := os.WriteFile(filepath.Join(root, "small.html"), make([]byte, 612), 0o644); err != nil {
				return nil, err
			}
			url, server, err := startNginx(root, otherCore)
			if err != nil {
				return nil, err
			}
			defer stop(server)
			args := append(args, url+"small.html", strconv.Itoa(concurrency), strconv.Itoa(brief(requests, requests/10)))
			return program(ourCore, env, args...)()
		}
	}
	return []contender{
		{"asyncio", client(100_000, oneCore, build+"our-http")},
		{"http.Transport", client(100_000, oneCore, build+"gohttp")},
		{"aiohttp", client(8_000, nil, debianPython, "peers/python/http_client.py", "asyncio")},
		{"aiohttp on uvloop", client(8_000, nil, debianPython, "peers/python/http_client.py", "uvloop")},
	}
}

const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
	include /etc/nginx/mime.types;
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000000;
	open_file_cache max=10000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen 127.0.0.1:%s backlog=4096;
		root %s;
	}
}
`

// startNginx serves the folder; cores is where nginx may run.
func startNginx(root, cores string) (url string, server *exec.Cmd, err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	home, err := filepath.Abs(build + "nginx")
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", nil, err
	}
	config := filepath.Join(home, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, port, root), 0o644); err != nil {
		return "", nil, err
	}
	server = pinned(cores, "/usr/sbin/nginx", "-p", home, "-c", config)
	return "http://127.0.0.1:" + port + "/", server, startServer(server, port)
}
