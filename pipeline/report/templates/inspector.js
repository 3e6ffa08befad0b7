{% include "inspector_data.js" %}

{% include "theme.js" %}

{% include "inspector_tracks.js" %}

{% include "inspector_view.js" %}

{% include "inspector_list.js" %}
