from speedmap.engines.tensorrt import builder


def test_static_profiles_are_dynamic_ones_with_equal_bounds():
    assert set(builder.profile((480, 640), 640, False)) == {(1, 3, 640, 640)}
    assert set(builder.profile((480, 640), 640, False, 8)) == {(8, 3, 640, 640)}
    assert builder.profile((480, 640), 640, True) == ((1, 3, 32, 32), (1, 3, 480, 640), (1, 3, 640, 640))
