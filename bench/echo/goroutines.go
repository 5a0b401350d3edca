// Go's net with a goroutine for each connection.
package main

import (
	"io"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer connection.Close()
			buffer := make([]byte, 32*1024)
			for {
				n, err := connection.Read(buffer)
				if n > 0 {
					if _, err := connection.Write(buffer[:n]); err != nil {
						return
					}
				}
				if err == io.EOF || err != nil {
					return
				}
			}
		}()
	}
}
