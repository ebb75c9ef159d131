"""The server's description of itself is that of its contract."""

from serving import ROW


def fits(value, schema):
    """Whether a value is what a schema says, of the keywords that the server uses."""
    kinds = {"object": dict, "array": list, "string": str, "null": type(None)}
    kinds |= {"boolean": bool, "integer": int, "number": (int, float)}
    if "anyOf" in schema and not any(fits(value, one) for one in schema["anyOf"]):
        return False
    if "type" not in schema and "const" not in schema:
        return all(name in value for name in schema.get("required", ()))
    if "const" in schema:
        return value == schema["const"]
    kind = schema["type"]
    if not isinstance(value, kinds[kind]) or (
        isinstance(value, bool) and kind[0] != "b"
    ):
        return False
    if kind == "object":
        known = schema["properties"]
        named = {*schema["required"]} <= value.keys() <= known.keys()
        return named and all(fits(one, known[name]) for name, one in value.items())
    if kind == "array":
        most = schema.get("maxItems", len(value))
        each = all(fits(one, schema["items"]) for one in value)
        return each and schema.get("minItems", 0) <= len(value) <= most
    if kind == "integer":
        return schema["minimum"] <= value <= schema["maximum"]
    return True


def test_it_takes_what_the_server_takes(server):
    status, said, _ = server.ask("/openapi.json")
    assert status == 200 and said["openapi"].startswith("3.1")
    assert {"/v1/models/films:predict", "/v1/models/pictures"} <= said["paths"].keys()
    post = said["paths"]["/v1/models/films:predict"]["post"]
    content = post["requestBody"]["content"]["application/json"]["schema"]
    given = post["responses"]["200"]["content"]["application/json"]["schema"]
    embed = [{n: v for n, v in ROW.items() if n != "k"}]
    good = [
        {"instances": [ROW, {**ROW, "text": None}]},
        {"inputs": {name: [value] * 2 for name, value in ROW.items()}},
        {"signature_name": "embed", "instances": embed},
        {"instances": [{"text": "red", "k": 2}]},
    ]
    for one in good:
        assert fits(one, content), one
        assert fits(server.predict("films", **one), given), one
    for bad in (
        {},
        {"instances": []},
        {"instances": [ROW], "inputs": {}},
        {"instances": [{**ROW, "k": 0}]},
        {"instances": [{"k": 1}]},
        {"instances": [{"text": "red"}]},
        {"instances": [{**ROW, "more": 1}]},
        {"instances": [ROW] * 129},
        {"signature_name": "none", "instances": [ROW]},
    ):
        assert not fits(bad, content), bad
        assert server.ask("/v1/models/films:predict", bad)[0] == 400


def test_each_refusal_is_described(server):
    said = server.ask("/openapi.json")[1]
    error = said["components"]["responses"]["400"]["content"]["application/json"]
    status, body, _ = server.ask("/v1/models/films:predict", {})
    assert status == 400 and [*body] == [*error["schema"]["properties"]]
