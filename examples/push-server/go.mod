module example.org/push-server

go 1.21
