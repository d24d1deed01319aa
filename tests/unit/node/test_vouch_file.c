#include "lbnode/node/vouch_file.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ip_address source4 = {4, {192, 0, 2, 6}};
static const struct ip_address source6 = {6, {0xfe, 0x80, [15] = 6}};

static void sources_survive_a_restart(void **state)
{
    char directory[] = "/tmp/lbnode-vouch-XXXXXX", path[64];
    static struct vouch_list list, read;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/vouched", directory);
    list.count = 2;
    list.nodes[0].node_id.bytes[0] = 6;
    list.nodes[0].count = 2;
    list.nodes[0].addresses[0] = source4;
    list.nodes[0].addresses[1] = source6;
    list.nodes[1].node_id.bytes[0] = 7; /* its sources are not known, its roster address is */
    assert_int_equal(vouch_file_write(directory, &list), 0);
    vouch_file_read(directory, &read);
    assert_int_equal(read.count, 2);
    assert_int_equal(read.nodes[0].node_id.bytes[0], 6);
    assert_int_equal(read.nodes[0].count, 2);
    assert_true(ip_address_equal(&read.nodes[0].addresses[1], &source6));
    assert_int_equal(read.nodes[1].count, 0);
    assert_int_equal(read.nodes[0].header.type, MESSAGE_VRRP_VOUCHED);
    unlink(path);
    vouch_file_read(directory, &read);
    assert_int_equal(read.count, 0);
    rmdir(directory);
}

static const char *final_path;
static int synced_before_rename;

/* In the place of the C library's. */
int fsync(int fd)
{
    synced_before_rename += final_path && access(final_path, F_OK) != 0;
    return 0;
}

static void the_content_is_on_disk_before_it_has_its_name(void **state)
{
    char directory[] = "/tmp/lbnode-vouch-XXXXXX", path[64];
    static struct vouch_list list = {.count = 1};
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/vouched", directory);
    final_path = path;
    assert_int_equal(vouch_file_write(directory, &list), 0);
    final_path = NULL;
    assert_int_equal(synced_before_rename, 1);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    rmdir(directory);
}

static void a_damaged_file_vouches_for_nobody(void **state)
{
    static const char good[] = "06000000-0000-0000-0000-000000000000 192.0.2.6\n";
    static const char *const bad[] = {
        "06000000-0000-0000-0000-000000000000 192.0.2.6", /* cut off */
        "06000000-0000-0000-0000-000000000000 192.0.2.6\n06000000",
        "06000000-0000-0000-0000-000000000000 192.0.2.600\n",
        "192.0.2.6\n",
        "\n",
    };
    static struct vouch_list list;
    char text[1 << 16];
    snprintf(text, sizeof(text), "%s", good);
    assert_true(vouch_file_parse(text, &list));
    assert_int_equal(list.count, 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "%s", bad[i]);
        assert_false(vouch_file_parse(text, &list));
        assert_int_equal(list.count, 0);
    }
    for (size_t i = 0; i <= VOUCH_FILE_NODES; i++)
        memcpy(text + i * (sizeof(good) - 1), good, sizeof(good));
    assert_false(vouch_file_parse(text, &list));
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_survive_a_restart),
        cmocka_unit_test(the_content_is_on_disk_before_it_has_its_name),
        cmocka_unit_test(a_damaged_file_vouches_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
