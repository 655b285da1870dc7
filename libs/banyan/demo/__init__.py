"""`banyan demo`: one county or the whole province does its main job over HTTP, and the report shows what happened."""
