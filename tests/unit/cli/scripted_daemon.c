#include "tests/unit/cli/scripted_daemon.h"

#include "lbnode/cli/cli.h"
#include "lbnode/http/http_message.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void play(struct daemon *daemon, const struct step *step, int fd)
{
    struct http_message *message = calloc(1, sizeof(*message));
    char buffer[4096], request[4096];
    ssize_t size;
    http_message_init(message, NULL, sizeof(buffer));
    enum http_parse_result result = HTTP_NEED_MORE;
    while (result == HTTP_NEED_MORE && (size = read(fd, buffer, sizeof(buffer))) > 0)
        result = http_message_feed(message, buffer, (size_t)size);
    const char *input = text_string(&message->input);
    snprintf(request, sizeof(request), "%.*s %.*s%s%s", message->head.method_length,
             input + message->head.method, message->head.target_length,
             input + message->head.target, message->body.length ? " " : "",
             text_string(&message->body));
    if (strcmp(request, step->request) != 0) {
        fprintf(stderr, "expected %s\n     got %s\n", step->request, request);
        daemon->mistakes++;
    }
    if (write(fd, step->answer, strlen(step->answer)) < 0)
        daemon->mistakes++;
    http_message_free(message);
    free(message);
}

static void *serve(void *context)
{
    struct daemon *daemon = context;
    for (size_t i = 0; i < daemon->step_count; i++) {
        int fd = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL;
        play(daemon, &daemon->steps[i], fd);
        close(fd);
    }
    return NULL;
}

void daemon_start(struct daemon *daemon, const struct step *steps, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *daemon = (struct daemon){.steps = steps, .step_count = count};
    snprintf(daemon->directory, sizeof(daemon->directory), "/tmp/lbnode-test-XXXXXX");
    assert_non_null(mkdtemp(daemon->directory));
    snprintf(daemon->path, sizeof(daemon->path), "%s/s", daemon->directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->path);
    daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(daemon->listener, 8), 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, serve, daemon), 0);
}

void daemon_stop(struct daemon *daemon)
{
    shutdown(daemon->listener, SHUT_RDWR);
    pthread_join(daemon->thread, NULL);
    close(daemon->listener);
    unlink(daemon->path);
    rmdir(daemon->directory);
}

static char output_text[8192];

const char *printed(void)
{
    return output_text;
}

/* Runs the command line with its output in output_text: it is no TAP. */
static int run_captured(int argc, char **argv)
{
    FILE *output = tmpfile();
    assert_non_null(output);
    fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    dup2(fileno(output), STDOUT_FILENO);
    int exit_code = cli_main(argc, argv);
    fflush(stdout);
    dup2(terminal, STDOUT_FILENO);
    close(terminal);
    rewind(output);
    output_text[fread(output_text, 1, sizeof(output_text) - 1, output)] = '\0';
    fclose(output);
    return exit_code;
}

int run(const char *const *command, size_t words, const struct step *steps, size_t step_count)
{
    struct daemon daemon;
    char *argv[24] = {(char[]){"lbnode"}, (char[]){"--socket"}};
    daemon_start(&daemon, steps, step_count);
    argv[2] = daemon.path;
    for (size_t i = 0; i < words; i++)
        argv[3 + i] = (char *)(uintptr_t)command[i];
    int exit_code = run_captured((int)words + 3, argv);
    daemon_stop(&daemon);
    assert_int_equal(daemon.mistakes, 0);
    return exit_code;
}
