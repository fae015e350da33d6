# SPDX-License-Identifier: BSD-2-Clause
"""nginx on one side of a lab, with a configuration, a pid file and temporary folders of its own.

    with Nginx(lab, folder) as web:
        (web.html / "a").write_bytes(b"...")

Files are served from folder/html; PUT into /up/ stores a file there. Ends by the pid of its master.
"""

import pathlib
import shutil
import subprocess
import sys
import time

from .state import LabError

CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {listen} backlog=4096;
        root {folder}/html;
        location /up/ {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""
READY = "import socket; socket.create_connection(('{}', {}), 1).close()"


class Nginx:
    def __init__(self, lab, folder, listen="10.0.2.2:8080", side="server"):
        self.lab, self.side, self.listen = lab, side, listen
        self.folder = pathlib.Path(folder).resolve()
        self.html = self.folder / "html"
        self.process = None
        self.html.mkdir(parents=True, exist_ok=True)

    def __enter__(self):
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        config = self.folder / "nginx.conf"
        # Its workers would become `nobody`, who may not be able to reach this folder.
        config.write_text("user root;\n" + CONFIG.format(folder=self.folder, listen=self.listen), encoding="utf-8")
        out = open(self.folder / "output.log", "wb")
        self.process = self.lab.popen(self.side, [binary, "-p", str(self.folder), "-e", str(self.folder / "error.log"),
                                                  "-c", str(config)],
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        out.close()
        host, port = self.listen.split(":")
        for _ in range(100):
            probe = self.lab.run(self.side, [sys.executable, "-c", READY.format(host, port)],
                                 stderr=subprocess.DEVNULL)
            if probe.returncode == 0:
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        said = (self.folder / "output.log").read_text(errors="replace")
        self.__exit__()
        raise LabError(f"nginx does not start: {said.strip()}")

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()  # nsenter has become nginx's master; its workers end with it
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
