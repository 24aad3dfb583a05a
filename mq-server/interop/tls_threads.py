"""Makes the TLS sockets of Python fit for clients that read and write in two threads.

OpenSSL wants one call at a time for each connection, and Python's `SSLSocket` does not see to
that: what one thread writes may be lost while another one reads, or the process dies
(python/cpython#151508). stomp.py and paho-mqtt do so, and TLS 1.3 lets it happen at every start,
as the server's session tickets are read while the first frame is written.
"""

import select
import ssl
import threading


class OneAtATime(ssl.SSLSocket):
    """Takes turns. A thread that waits for something to read does not hold the turn."""

    @classmethod
    def _create(cls, *arguments, **more):
        made = super()._create(*arguments, **more)
        made.turn = threading.RLock()
        return made

    def read(self, *arguments):
        while True:
            with self.turn:
                timeout = self.gettimeout()
                self.settimeout(0)
                try:
                    return super().read(*arguments)
                except ssl.SSLWantReadError:
                    if timeout == 0:
                        raise
                finally:
                    # Another thread may have closed it.
                    if self.fileno() >= 0:
                        self.settimeout(timeout)
            if not select.select([self], [], [], timeout)[0]:
                raise TimeoutError("the read operation timed out")

    def send(self, *arguments):
        with self.turn:
            return super().send(*arguments)

    def unwrap(self):
        with self.turn:
            return super().unwrap()


def take_turns():
    """Every TLS socket that is made from now on takes turns."""
    ssl.SSLContext.sslsocket_class = OneAtATime
