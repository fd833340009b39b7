module example.org/status-page

go 1.21
