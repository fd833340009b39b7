// Load on a registry from several connections at once, with as little work of its own as can be:
// requests are made beforehand, answers are read and not looked into, and nothing is hashed.
//
//	load push-blobs ADDRESS REPOSITORY CONNECTIONS FILE=DIGEST...
//	load pull-blobs ADDRESS REPOSITORY CONNECTIONS DIGEST...
//	load push-manifests ADDRESS REPOSITORIES CONNECTIONS COUNT
//	load get-manifests ADDRESS REPOSITORIES CONNECTIONS COUNT
//	load head-manifests ADDRESS REPOSITORIES CONNECTIONS COUNT
//	load revalidate-manifests ADDRESS REPOSITORIES CONNECTIONS COUNT
//
// Manifests are tagged and spread over as many repositories. What it took goes to stdout as JSON.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// A connection that stays open.
type connection struct {
	net.Conn
	in *bufio.Reader
}

func dial(address string) *connection {
	found, err := net.Dial("tcp", address)
	must(err)
	return &connection{found, bufio.NewReaderSize(found, 256*1024)}
}

// Send a request and read its answer; the fields are in lower case.
func (c *connection) ask(head string, body io.Reader, isHead bool) (int, map[string]string) {
	_, err := io.WriteString(c.Conn, head)
	must(err)
	if body != nil {
		_, err = io.Copy(c.Conn, body)
		must(err)
	}
	line := c.line()
	status, err := strconv.Atoi(strings.SplitN(line, " ", 3)[1])
	must(err)
	fields := map[string]string{}
	for line = c.line(); line != ""; line = c.line() {
		name, value, _ := strings.Cut(line, ":")
		fields[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	if !isHead && status != 204 && status != 304 {
		size, err := strconv.ParseInt(fields["content-length"], 10, 64)
		must(err)
		_, err = io.CopyN(io.Discard, c.in, size)
		must(err)
	}
	return status, fields
}

func (c *connection) line() string {
	line, err := c.in.ReadString('\n')
	must(err)
	return strings.TrimRight(line, "\r\n")
}

func head(method, address, target string, fields ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + address}, fields...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func pushBlob(c *connection, address, repository, digest string, size int64, body io.Reader) {
	begin := head("POST", address, "/v2/"+repository+"/blobs/uploads/", "Content-Length: 0")
	status, fields := c.ask(begin, nil, false)
	expect(status, 202)
	place := fields["location"]
	if found := strings.Index(place, "/v2/"); found > 0 {
		place = place[found:]
	}
	join := "?"
	if strings.Contains(place, "?") {
		join = "&"
	}
	finish := head("PUT", address, place+join+"digest="+digest,
		"Content-Length: "+strconv.FormatInt(size, 10),
		"Content-Type: application/octet-stream")
	status, _ = c.ask(finish, body, false)
	expect(status, 201)
}

// Do all of count pieces of work over the connections, and note how long each took.
func together(address string, connections, count int, work func(*connection, int)) []time.Duration {
	took := make([]time.Duration, count)
	next := make(chan int, count)
	for number := 0; number < count; number++ {
		next <- number
	}
	close(next)
	var all sync.WaitGroup
	for range make([]struct{}, connections) {
		all.Add(1)
		go func() {
			defer all.Done()
			c := dial(address)
			defer c.Close()
			for number := range next {
				began := time.Now()
				work(c, number)
				took[number] = time.Since(began)
			}
		}()
	}
	all.Wait()
	return took
}

func blob(data string) (string, int) {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(data))), len(data)
}

func manifest(number int) string {
	config, configSize := blob("{}")
	layer, layerSize := blob("layer")
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":`+
		`"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":`+
		`"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%d}],`+
		`"annotations":{"number":"%d"}}`,
		manifestType, config, configSize, layer, layerSize, number)
}

func place(number, repositories int) string {
	return fmt.Sprintf("/v2/r%d/app/manifests/t%d", number%repositories, number)
}

func prepare(address string, repositories int) {
	c := dial(address)
	defer c.Close()
	for number := 0; number < repositories; number++ {
		for _, data := range []string{"{}", "layer"} {
			digest, size := blob(data)
			pushBlob(c, address, fmt.Sprintf("r%d/app", number), digest, int64(size), strings.NewReader(data))
		}
	}
}

func pushManifests(address string, repositories, connections, count int) []time.Duration {
	prepare(address, repositories)
	requests := make([]string, count)
	for number := range requests {
		body := manifest(number)
		requests[number] = head("PUT", address, place(number, repositories),
			"Content-Type: "+manifestType, "Content-Length: "+strconv.Itoa(len(body))) + body
	}
	return together(address, connections, count, func(c *connection, number int) {
		status, _ := c.ask(requests[number], nil, false)
		expect(status, 201)
	})
}

func readManifests(method, address string, repositories, connections, count int, known bool) []time.Duration {
	requests := make([]string, count)
	wanted := 200
	for number := range requests {
		fields := []string{"Accept: " + manifestType}
		if known {
			digest, _ := blob(manifest(number))
			fields = append(fields, `If-None-Match: "`+digest+`"`)
			wanted = 304
		}
		requests[number] = head(method, address, place(number, repositories), fields...)
	}
	return together(address, connections, count, func(c *connection, number int) {
		status, _ := c.ask(requests[number], nil, method == "HEAD")
		expect(status, wanted)
	})
}

func main() {
	what, address, repository := os.Args[1], os.Args[2], os.Args[3]
	connections, err := strconv.Atoi(os.Args[4])
	must(err)
	rest := os.Args[5:]
	began := time.Now()
	var took []time.Duration
	switch what {
	case "push-blobs":
		took = together(address, connections, len(rest), func(c *connection, number int) {
			name, digest, _ := strings.Cut(rest[number], "=")
			file, err := os.Open(name)
			must(err)
			defer file.Close()
			found, err := file.Stat()
			must(err)
			pushBlob(c, address, repository, digest, found.Size(), file)
		})
	case "pull-blobs":
		took = together(address, connections, len(rest), func(c *connection, number int) {
			request := head("GET", address, "/v2/"+repository+"/blobs/"+rest[number])
			status, _ := c.ask(request, nil, false)
			expect(status, 200)
		})
	default:
		repositories, err := strconv.Atoi(repository)
		must(err)
		count, err := strconv.Atoi(rest[0])
		must(err)
		switch what {
		case "push-manifests":
			took = pushManifests(address, repositories, connections, count)
		case "get-manifests":
			took = readManifests("GET", address, repositories, connections, count, false)
		case "head-manifests":
			took = readManifests("HEAD", address, repositories, connections, count, false)
		case "revalidate-manifests":
			took = readManifests("GET", address, repositories, connections, count, true)
		default:
			fail("it is not known how to " + what)
		}
	}
	report(time.Since(began), took)
}

func report(all time.Duration, took []time.Duration) {
	sort.Slice(took, func(one, two int) bool { return took[one] < took[two] })
	at := func(share float64) float64 {
		return took[min(int(share*float64(len(took))), len(took)-1)].Seconds()
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"seconds": all.Seconds(), "count": float64(len(took)), "p50": at(0.5), "p99": at(0.99),
	}))
}

func expect(status, wanted int) {
	if status != wanted {
		fail(fmt.Sprintf("the registry answered %d instead of %d", status, wanted))
	}
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}
