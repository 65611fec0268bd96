//go:build linux

package attack

import (
	"time"
)

// browsers returns attacks by requests that a browser sends for a foreign page.
func browsers() []attack {
	most := cost{memory: 8 << 20, cpu: time.Second, log: 4 << 10}
	var all []attack
	for name, req := range map[string]string{
		"an image":                        "GET /change HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n\r\n",
		"an image, of an older browser":   "GET /change HTTP/1.1\r\nHost: 127.0.0.1\r\nReferer: http://evil.example/\r\n\r\n",
		"a form":                          "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\n\r\na",
		"a form, of an older browser":     "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\na",
		"a form of a sandboxed frame":     "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\na",
		"a fetch without CORS":            "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1",
		"a beacon":                        "POST /change HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-site\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: 1\r\n\r\n1",
		"a page whose name resolves here": "POST /change HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n1",
	} {
		all = append(all, attack{class: "browsers", name: name, door: "http, loopback hosts", most: most, run: func(s *stranger) {
			s.exchange([]byte(req))
			if n, _, _ := s.child.numbers(s.T); n > 0 {
				s.breaks("a foreign page changed something")
			}
		}})
	}
	return all
}
