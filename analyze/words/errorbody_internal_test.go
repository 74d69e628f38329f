package words

import "testing"

// TestErrorText holds what the pages of servers say beyond their status.
func TestErrorText(t *testing.T) {
	for name, tt := range map[string]struct {
		status             int
		reason, body, want string
	}{
		"nginx": {400, "Bad Request", "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n" +
			"<center><h1>400 Bad Request</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n", "The plain HTTP request was sent to HTTPS port"},
		"nginx, no more": {502, "Bad Gateway", "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>", ""},
		"haproxy":        {503, "Service Unavailable", "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n", "No server is available to handle this request."},
		"Apache": {400, "Bad Request", "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<h1>Bad Request</h1>\n" +
			"<p>Your browser sent a request that this server could not understand.<br />\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n</p>\n</body></html>\n",
			"Your browser sent a request that this server could not understand. Reason: You're speaking plain HTTP to an SSL-enabled server port."},
		"Go":      {400, "Bad Request", "Client sent an HTTP request to an HTTPS server.\n", "Client sent an HTTP request to an HTTPS server."},
		"Go, 404": {404, "Not Found", "404 page not found\n", "page not found"},
		"Envoy":   {503, "Service Unavailable", "upstream connect error or disconnect/reset before headers. reset reason: connection failure", "upstream connect error or disconnect/reset before headers. reset reason: connection failure"},
		"JSON":    {503, "Service Unavailable", `{"error":"draining"}`, `{"error":"draining"}`},
		"cut":     {500, "Oops", "<html><head><title>500 O", ""},
		"binary":  {500, "Oops", "\x1b[2Jno", ""},
		"hidden":  {500, "Oops", "<p>it is \x1b[2J gone now", ""},
		"nothing": {500, "Oops", "", ""},
	} {
		if got := errorText(tt.status, tt.reason, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
