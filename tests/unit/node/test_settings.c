#include "lbnode/base/bytes.h"
#include "lbnode/node/settings.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct settings_surroundings as_root = {
    .is_root = true, .hostname = "lb1", .online_cores = 2};

static bool
load(struct node_settings *out, int argc, const char *const *argv, struct error *error)
{
    memset(error, 0, sizeof(*error));
    return settings_load(out, &as_root, argc, argv, error);
}

static void defaults_need_no_file(void **state)
{
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, 0, NULL, &error));
    assert_string_equal(settings.state_dir, "/var/lib/lbnode");
    assert_string_equal(settings.run_dir, "/run/lbnode");
    assert_string_equal(settings.name, "lb1");
    assert_int_equal(settings.worker_count, 2);
    assert_int_equal(settings.api_listen.address.family, 0);
}

static void an_ordinary_user_stays_in_the_home_directory(void **state)
{
    struct settings_surroundings user = {
        .home = "/home/eve", .hostname = "lb1", .online_cores = 1};
    struct node_settings settings;
    struct error error;
    assert_true(settings_load(&settings, &user, 0, NULL, &error));
    assert_string_equal(settings.state_dir, "/home/eve/.local/state/lbnode");
    assert_string_equal(settings.run_dir, "/home/eve/.local/state/lbnode/run");
    user.xdg_state_home = "/x/state";
    user.xdg_runtime_dir = "/run/user/7";
    assert_true(settings_load(&settings, &user, 0, NULL, &error));
    assert_string_equal(settings.state_dir, "/x/state/lbnode");
    assert_string_equal(settings.run_dir, "/run/user/7/lbnode");
}

static void options_are_taken_in_both_forms(void **state)
{
    const char *argv[] = {
        "--name",       "left",     "--workers=3", "--address", "10.0.0.5,[fd00::5]:7000",
        "--api-listen", "127.0.0.1"};
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, (int)ARRAY_LENGTH(argv), argv, &error));
    assert_string_equal(settings.name, "left");
    assert_int_equal(settings.worker_count, 3);
    assert_int_equal(settings.address_count, 2);
    assert_int_equal(settings.addresses[0].port, SETTINGS_GOSSIP_PORT);
    assert_int_equal(settings.addresses[1].port, 7000);
    assert_int_equal(settings.api_listen.port, SETTINGS_API_PORT);
}

static void a_listen_endpoint_follows_the_addresses(void **state)
{
    const char *argv[] = {"--address", "10.0.0.5:7000"};
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, 2, argv, &error));
    settings_complete_addresses(&settings);
    assert_int_equal(settings.gossip_listen.port, 7000);
    assert_int_equal(settings.gossip_listen.address.family, 4);
}

static void some_address_is_always_found(void **state)
{
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, 0, NULL, &error));
    settings_complete_addresses(&settings);
    assert_true(settings.address_count >= 1);
    assert_true(settings.addresses[0].address.family != 0);
}

static void yaml_has_the_same_settings(void **state)
{
    static const char text[] = "name: right\nworkers: 4\nlog_level: debug\n"
                               "history_days: 30\nhistory_mib: 0\nbuffer_memory: 64\n"
                               "address: [10.0.0.6, '[fd00::6]:7000']\n";
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, 0, NULL, &error));
    assert_true(settings_read_yaml(&settings, "node.yaml", text, strlen(text), &error));
    assert_string_equal(settings.name, "right");
    assert_int_equal(settings.worker_count, 4);
    assert_int_equal(settings.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(settings.history_days, 30);
    assert_int_equal(settings.history_mib, 0);
    assert_int_equal(settings.buffer_memory_mib, 64);
    assert_int_equal(settings.address_count, 2);
}

static void options_win_over_the_file(void **state)
{
    char path[] = "/tmp/lbnode-settings-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fputs("name: from-file\nworkers: 5\n", file);
    fclose(file);
    const char *argv[] = {"--name", "from-option", "--config", path};
    struct node_settings settings;
    struct error error;
    assert_true(load(&settings, 4, argv, &error));
    remove(path);
    assert_string_equal(settings.name, "from-option");
    assert_int_equal(settings.worker_count, 5);
}

static void bad_options_get_one_sentence(void **state)
{
    static const struct {
        const char *option, *value, *sentence;
    } cases[] = {
        {"--colour", "red", "Unknown option '--colour'; `lbnode run --help` lists them."},
        {"--workers", NULL, "Option --workers needs a value (N)."},
        {"--workers", "0", "Option --workers: '0' is not a whole number from 1 to 64."},
        {"--workers", "2x", "Option --workers: '2x' is not a whole number from 1 to 64."},
        {"--address", "10.0.0.300",
         "Option --address: '10.0.0.300' is not an address like 10.0.0.5 or 10.0.0.5:7850 or "
         "[fd00::5]:7850."},
        {"--address", "0.0.0.0",
         "Option --address: '0.0.0.0' is not an address like 10.0.0.5 or 10.0.0.5:7850 or "
         "[fd00::5]:7850."},
        {"--log-level", "loud",
         "Option --log-level: 'loud' is not one of debug, info, warning, error."},
        {"--name", "",
         "Option --name: '' is not a name of 1 to 63 characters without blanks "
         "and slashes."},
        {"--config", "/nowhere/node.yaml",
         "Cannot read /nowhere/node.yaml: No such file or directory."},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char option[64], value[64];
        const char *argv[] = {option, value};
        struct node_settings settings;
        struct error error;
        snprintf(option, sizeof(option), "%s", cases[i].option);
        snprintf(value, sizeof(value), "%s", cases[i].value ? cases[i].value : "");
        assert_false(load(&settings, cases[i].value ? 2 : 1, argv, &error));
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_string_equal(error.text, cases[i].sentence);
    }
}

static void bad_keys_get_one_sentence(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"colour: red\n",
         "node.yaml: unknown key 'colour'; `lbnode run --help` lists the settings."},
        {"config: other.yaml\n",
         "node.yaml: unknown key 'config'; `lbnode run --help` lists the settings."},
        {"workers: 65\n", "node.yaml: workers: '65' is not a whole number from 1 to 64."},
        {"name: {a: b}\n", "node.yaml: name: '' is not a name of 1 to 63 characters without "
                           "blanks and slashes."},
        {"- name\n", "node.yaml: expected lines of the form `key: value`."},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct node_settings settings;
        struct error error = {0};
        assert_true(load(&settings, 0, NULL, &error));
        assert_false(settings_read_yaml(&settings, "node.yaml", cases[i].text,
                                        strlen(cases[i].text), &error));
        assert_string_equal(error.text, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_need_no_file),
        cmocka_unit_test(an_ordinary_user_stays_in_the_home_directory),
        cmocka_unit_test(options_are_taken_in_both_forms),
        cmocka_unit_test(a_listen_endpoint_follows_the_addresses),
        cmocka_unit_test(some_address_is_always_found),
        cmocka_unit_test(yaml_has_the_same_settings),
        cmocka_unit_test(options_win_over_the_file),
        cmocka_unit_test(bad_options_get_one_sentence),
        cmocka_unit_test(bad_keys_get_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
